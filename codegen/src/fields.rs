//! `Fields` of the messages that are stored: what a change of a field means, and which fields have a value.

use anyhow::Result;
use proc_macro2::TokenStream;
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::model::{Arity, Form, Impact, Leaf, Type};
use crate::runtime;
use crate::schema::Schema;

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    if !schema.is_stored(message) || schema.form(message) != Form::Object {
        return Ok(TokenStream::new());
    }
    let gateway = runtime();
    let path = schema.own_path(message);
    let shape = schema.shape(message)?;
    let leaves = || shape.leaves.iter().filter(|leaf| leaf.is_read());
    let arms = leaves().map(|leaf| {
        let (name, field) = (&leaf.name, entry(schema, leaf));
        quote!(#name => #field,)
    });
    let given = leaves().filter_map(given);
    Ok(quote! {
        impl #gateway::fields::Fields for #path {
            fn field(name: &str) -> Option<#gateway::fields::Field> {
                Some(match name { #(#arms)* _ => return None })
            }

            fn each_given(&self, see: &mut dyn FnMut(&'static str)) {
                let _ = &see;
                #(#given)*
            }
        }
    })
}

fn entry(schema: &Schema, leaf: &Leaf) -> TokenStream {
    let gateway = runtime();
    let field = &leaf.field;
    let impact = match field.impact {
        Impact::None => quote!(None),
        Impact::Reconsider => quote!(Reconsider),
        Impact::Invalidates => quote!(Invalidates),
    };
    let is_list = matches!(field.arity, Arity::List);
    let within = match &field.r#type {
        Type::Message(message, path)
            if schema.has_check(field)
                && schema.form(message) == Form::Object
                && !matches!(field.arity, Arity::Map) =>
        {
            quote!(Some(<#path as #gateway::fields::Fields>::field))
        }
        _ => quote!(None),
    };
    quote!(#gateway::fields::Field { impact: #gateway::fields::Impact::#impact, is_list: #is_list, within: #within })
}

/// Reports the leaf's name if it has a value.
fn given(leaf: &Leaf) -> Option<TokenStream> {
    let gateway = runtime();
    let (name, rust) = (&leaf.name, &leaf.field.rust);
    let is_given = match (&leaf.field.arity, &leaf.field.r#type) {
        (_, Type::Message(..)) | (Arity::Map | Arity::Implicit, _) => return None,
        (Arity::List, _) => quote!(!owner.#rust.is_empty()),
        (_, Type::String) => quote!(#gateway::fields::is_given(&owner.#rust)),
        (_, Type::Enum(path)) => quote!(#gateway::fields::is_specified::<#path>(owner.#rust)),
        _ => quote!(owner.#rust.is_some()),
    };
    let see = quote!(if #is_given { see(#name); });
    let way = leaf.way.iter().rev().fold(see, |code, (field, _)| quote!(if let Some(owner) = &owner.#field { #code }));
    Some(quote!({ let owner = self; #way }))
}
