//! `SchemaOrder` of the messages that requests consist of: the places of their keys, for problems that were found under
//! another message with the same keys.

use anyhow::Result;
use proc_macro2::TokenStream;
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::model::{Arity, Form, Type};
use crate::runtime;
use crate::schema::Schema;

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    if !schema.is_request(message) || schema.form(message) != Form::Object {
        return Ok(TokenStream::new());
    }
    let gateway = runtime();
    let path = schema.own_path(message);
    let mut arms = TokenStream::new();
    for leaf in schema.shape(message)?.leaves.iter().filter(|leaf| leaf.is_read()) {
        let (slot, name) = (leaf.slot, &leaf.name);
        let inner = match &leaf.field.r#type {
            Type::Message(inner, path)
                if schema.has_check(&leaf.field)
                    && schema.form(inner) == Form::Object
                    && !matches!(leaf.field.arity, Arity::Map) =>
            {
                quote!(<#path as #gateway::check::SchemaOrder>::order(#gateway::check::below_index(rest)))
            }
            _ => TokenStream::new(),
        };
        arms.extend(quote!(#name => { *slot = #slot; #inner }));
    }
    Ok(quote! {
        impl #gateway::check::SchemaOrder for #path {
            fn order(path: &mut [#gateway::problem::Step]) {
                let Some((#gateway::problem::Step::Key { slot, name }, rest)) = path.split_first_mut() else { return };
                let _ = (&slot, &rest);
                match &**name { #arms _ => {} }
            }
        }
    })
}
