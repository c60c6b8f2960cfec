//! Fields from texts: `SetField` of messages, for paths and queries.

use anyhow::Result;
use proc_macro2::TokenStream;
use quote::quote;

use crate::json::{assign, marker, place};
use crate::model::{Arity, Field, Form, Oneof, Shape, Type};
use crate::names;
use crate::runtime;
use crate::schema::Schema;

pub(crate) fn set_field(schema: &Schema, path: &TokenStream, shape: &Shape) -> Result<TokenStream> {
    let gateway = runtime();
    let mut scalars = TokenStream::new();
    let mut messages = TokenStream::new();
    for leaf in shape.leaves.iter().filter(|leaf| leaf.is_read()) {
        let (slot, name) = (leaf.slot, &leaf.name);
        match text_form(schema, &leaf.field)? {
            TextForm::None => {}
            TextForm::Object => {
                let place = place(leaf);
                messages.extend(quote! {
                    Some((#name, rest)) => {
                        let inner = #place.get_or_insert_default();
                        #gateway::text::nested(#slot, #name, inner, rest, value, problems)
                    }
                });
            }
            TextForm::Scalar => {
                let marker = marker(&leaf.field.r#type);
                let place = place(leaf);
                let assign = match leaf.field.arity {
                    Arity::List => quote!(#place.push(value)),
                    _ => assign(leaf),
                };
                scalars.extend(quote! {
                    #name => {
                        if let Some(value) = #gateway::text::scalar::<#marker>(#slot, #name, value, problems) {
                            #assign;
                        }
                        return true;
                    }
                });
            }
        }
    }
    for oneof in shape.oneofs.iter().filter(|oneof| !oneof.flatten) {
        set_oneof(schema, oneof, &mut scalars, &mut messages)?;
    }
    Ok(quote! {
        impl #gateway::text::SetField for #path {
            fn set_field(&mut self, path: &str, value: &str, problems: &mut #gateway::problem::Problems) -> bool {
                let _ = (value, &problems);
                match path { #scalars _ => {} }
                match path.split_once('.') { #messages _ => false }
            }
        }
    })
}

/// The members of a oneof, of which at most one may be set.
fn set_oneof(schema: &Schema, oneof: &Oneof, scalars: &mut TokenStream, messages: &mut TokenStream) -> Result<()> {
    let gateway = runtime();
    let (rust, path) = (&oneof.rust, &oneof.path);
    let names = oneof.fields.iter().map(|field| {
        let (variant, name) = (names::camel(field.descriptor.name()), &field.json);
        quote!(Some(#path::#variant(_)) => Some(#name),)
    });
    let given = quote!(match &self.#rust { #(#names)* None => None });
    for field in &oneof.fields {
        let (slot, name) = (field.slot, &field.json);
        let variant = names::camel(field.descriptor.name());
        match text_form(schema, field)? {
            TextForm::None => {}
            TextForm::Object => messages.extend(quote! {
                Some((#name, rest)) => {
                    if !#gateway::text::is_alone(#slot, #name, #given, problems) {
                        return true;
                    }
                    match self.#rust.get_or_insert_with(|| #path::#variant(Default::default())) {
                        #path::#variant(inner) => {
                            #gateway::text::nested(#slot, #name, inner, rest, value, problems)
                        }
                        #[allow(unreachable_patterns)]
                        _ => false,
                    }
                }
            }),
            TextForm::Scalar => {
                let marker = marker(&field.r#type);
                scalars.extend(quote! {
                    #name => {
                        if #gateway::text::is_alone(#slot, #name, #given, problems)
                            && let Some(value) = #gateway::text::scalar::<#marker>(#slot, #name, value, problems)
                        {
                            self.#rust = Some(#path::#variant(value.into()));
                        }
                        return true;
                    }
                });
            }
        }
    }
    Ok(())
}

/// How a path or a query fills a field.
enum TextForm {
    /// One text is the value, or one of its values.
    Scalar,
    /// Each text is one of its members.
    Object,
    /// Not at all.
    None,
}

fn text_form(schema: &Schema, field: &Field) -> Result<TextForm> {
    Ok(match (&field.r#type, &field.arity) {
        (_, Arity::Map) => TextForm::None,
        (Type::Message(message, _), arity) if !schema.is_text(message)? => {
            let own = !message.full_name().starts_with("google.protobuf.");
            let single = matches!(arity, Arity::Optional) && schema.form(message) == Form::Object;
            if own && single { TextForm::Object } else { TextForm::None }
        }
        _ => TextForm::Scalar,
    })
}
