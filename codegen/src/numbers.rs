//! `Numbers` of the messages that hold fields of SENSITIVITY_NUMBER, which responses may mask. From the option alone, so
//! that no field can be forgotten.

use anyhow::{Result, ensure};
use proc_macro2::TokenStream;
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::model::{Arity, Leaf, Member, Type};
use crate::schema::Schema;
use crate::{names, runtime};

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    if !holds(schema, message, 0)? {
        return Ok(TokenStream::new());
    }
    let gateway = runtime();
    let path = schema.own_path(message);
    let shape = schema.shape(message)?;
    let own: Vec<&Leaf> = shape.leaves.iter().filter(|leaf| leaf.field.number).collect();
    for leaf in &own {
        let is_text = matches!((&leaf.field.r#type, &leaf.field.arity), (Type::String, Arity::Optional));
        ensure!(is_text, "{}: a number is an optional text", leaf.field.descriptor.full_name());
    }
    let list = own.iter().map(|leaf| &leaf.name);
    let shown = own.iter().map(|leaf| show(leaf));
    let mut inner = TokenStream::new();
    for leaf in &shape.leaves {
        let Type::Message(message, _) = &leaf.field.r#type else { continue };
        if !holds(schema, message, 0)? {
            continue;
        }
        let rust = &leaf.field.rust;
        let within = match leaf.field.arity {
            Arity::List => quote!(for inner in &mut owner.#rust { inner.each_number(see); }),
            Arity::Map => quote!(for inner in owner.#rust.values_mut() { inner.each_number(see); }),
            _ => quote!(if let Some(inner) = &mut owner.#rust { inner.each_number(see); }),
        };
        inner.extend(at_owner(leaf, within));
    }
    Ok(quote! {
        impl #gateway::numbers::Numbers for #path {
            const NAMES: &'static [&'static str] = &[#(#list),*];

            fn each_own_number(&mut self, see: &mut dyn FnMut(#gateway::numbers::Number<'_>)) {
                let _ = &see;
                #(#shown)*
            }

            fn each_number(&mut self, see: &mut dyn FnMut(#gateway::numbers::Number<'_>)) {
                self.each_own_number(see);
                #inner
            }
        }
    })
}

/// Shows one number.
fn show(leaf: &Leaf) -> TokenStream {
    let gateway = runtime();
    let (rust, name) = (&leaf.field.rust, &leaf.name);
    let kind = leaf.field.descriptor.parent_message().get_field_by_name("type");
    let kind = kind.filter(|kind| kind.kind().as_enum().is_some() && kind.supports_presence());
    let kind = match kind {
        Some(kind) => {
            let kind = names::snake(kind.name());
            quote!(owner.#kind)
        }
        None => quote!(None),
    };
    let see = quote! {
        let kind = #kind;
        see(#gateway::numbers::Number { name: #name, kind, text: &mut owner.#rust });
    };
    at_owner(leaf, see)
}

/// Runs `code` with the message that holds the leaf as `owner`, if the flattened messages on the way to it are there.
fn at_owner(leaf: &Leaf, code: TokenStream) -> TokenStream {
    let way =
        leaf.way.iter().rev().fold(code, |code, (field, _)| quote!(if let Some(owner) = &mut owner.#field { #code }));
    quote!({ let owner = &mut *self; #way })
}

/// Whether a message holds numbers in fields of its own or of the messages within it.
fn holds(schema: &Schema, message: &MessageDescriptor, depth: usize) -> Result<bool> {
    // A recursive message holds no more than its first level does.
    if depth > 16 || message.full_name().starts_with("google.protobuf.") {
        return Ok(false);
    }
    for member in schema.members(message)? {
        let Member::Field(field) = member else { continue };
        if field.number {
            return Ok(true);
        }
        if let Type::Message(inner, _) = &field.r#type
            && holds(schema, inner, depth + 1)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}
