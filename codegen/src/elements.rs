//! The elements of lists that have an identifier, stored or in a change: one visitor for all of them.

use anyhow::Result;
use proc_macro2::{Ident, TokenStream};
use prost_reflect::MessageDescriptor;
use quote::{format_ident, quote};

use crate::model::{Arity, Member, Type};
use crate::names;
use crate::schema::Schema;

pub(crate) fn package(schema: &Schema, package: &str) -> Result<TokenStream> {
    let (mut stored, mut changes) = (Set::new("AnyElement"), Set::new("AnyElementChange"));
    for message in schema.messages(package) {
        let Some(changed) = schema.changed(&message)? else { continue };
        let is_element = changed.get_field_by_name("id").is_some();
        stored.add(changed, is_element);
        changes.add(message, is_element);
    }
    let mut code = TokenStream::new();
    for set in [stored, changes] {
        if !set.elements.is_empty() {
            code.extend(set.code(schema)?);
        }
    }
    Ok(code)
}

/// The messages of one enum.
struct Set {
    shared: Ident,
    mutable: Ident,
    elements: Vec<MessageDescriptor>,
    /// The elements, and what holds them.
    all: Vec<MessageDescriptor>,
}

impl Set {
    fn new(name: &str) -> Self {
        let (shared, mutable) = (format_ident!("{name}"), format_ident!("{name}Mut"));
        Self { shared, mutable, elements: Vec::new(), all: Vec::new() }
    }

    fn add(&mut self, message: MessageDescriptor, is_element: bool) {
        if is_element {
            self.elements.push(message.clone());
        }
        self.all.push(message);
    }

    fn code(&self, schema: &Schema) -> Result<TokenStream> {
        let Self { shared, mutable, .. } = self;
        let variants: Vec<Ident> = self.elements.iter().map(|message| names::camel(message.name())).collect();
        let paths: Vec<TokenStream> = self.elements.iter().map(|message| schema.own_path(message)).collect();
        let mut code = quote! {
            /// An element of a list that has an identifier.
            #[derive(Clone, Copy, Debug)]
            pub enum #shared<'a> {
                #(#[allow(missing_docs)] #variants(&'a #paths),)*
            }

            /// An element of a list that has an identifier.
            #[derive(Debug)]
            pub enum #mutable<'a> {
                #(#[allow(missing_docs)] #variants(&'a mut #paths),)*
            }

            #(
                impl<'a> From<&'a #paths> for #shared<'a> {
                    fn from(element: &'a #paths) -> Self { Self::#variants(element) }
                }

                impl<'a> From<&'a mut #paths> for #mutable<'a> {
                    fn from(element: &'a mut #paths) -> Self { Self::#variants(element) }
                }
            )*
        };
        for message in &self.all {
            code.extend(self.visit(schema, message)?);
        }
        Ok(code)
    }

    /// The elements in a message.
    fn visit(&self, schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
        let Self { shared, mutable, elements, .. } = self;
        let path = schema.own_path(message);
        let (mut each, mut each_mut) = (TokenStream::new(), TokenStream::new());
        for member in schema.members(message)? {
            let Member::Field(field) = member else { continue };
            let Type::Message(inner, _) = &field.r#type else { continue };
            if !matches!(field.arity, Arity::List) || !elements.contains(inner) {
                continue;
            }
            let rust = &field.rust;
            each.extend(quote! {
                for element in &self.#rust {
                    element.each_element(see);
                    see(element.into());
                }
            });
            each_mut.extend(quote! {
                for element in &mut self.#rust {
                    element.each_element_mut(see);
                    see(element.into());
                }
            });
        }
        Ok(quote! {
            impl #path {
                /// Shows every element in the message to `see`, those within an element before it.
                pub fn each_element<'a>(&'a self, see: &mut dyn FnMut(#shared<'a>)) {
                    let _ = &see;
                    #each
                }

                /// Shows every element in the message to `see`, those within an element before it.
                pub fn each_element_mut(&mut self, see: &mut dyn FnMut(#mutable<'_>)) {
                    let _ = &see;
                    #each_mut
                }
            }
        })
    }
}
