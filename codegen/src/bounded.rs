//! `Parts` of the messages that requests consist of: which fields to count before a gRPC message is decoded.

use anyhow::Result;
use proc_macro2::TokenStream;
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::model::{Arity, Field, Member, Type};
use crate::runtime;
use crate::schema::Schema;

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    if !schema.is_request(message) {
        return Ok(TokenStream::new());
    }
    let gateway = runtime();
    let path = schema.own_path(message);
    let mut arms = TokenStream::new();
    for member in schema.members(message)? {
        let fields = match member {
            Member::Field(field) => vec![field],
            Member::Oneof(oneof) => oneof.fields,
        };
        for field in &fields {
            if let Some(count) = count(field) {
                let number = field.descriptor.number();
                arms.extend(quote!(#number => Some(#count),));
            }
        }
    }
    Ok(quote! {
        impl #gateway::bounded::Parts for #path {
            fn within(field: u32) -> Option<#gateway::bounded::CountParts> {
                match field { #arms _ => None }
            }
        }
    })
}

/// How a field's parts are counted.
fn count(field: &Field) -> Option<TokenStream> {
    let gateway = runtime();
    let inner = match &field.r#type {
        Type::Message(message, path) if has_parts(message) => quote!(#path),
        _ => quote!(()),
    };
    match (&field.arity, &field.r#type) {
        (Arity::Map, _) => Some(quote!(#gateway::bounded::message::<#gateway::bounded::Entry<#inner>>)),
        (_, Type::Message(..)) => Some(quote!(#gateway::bounded::message::<#inner>)),
        (Arity::List, Type::String | Type::Bytes) => Some(quote!(#gateway::bounded::leaf)),
        _ => None,
    }
}

/// Whether a message may hold others: of the well-known types only the free structures do.
fn has_parts(message: &MessageDescriptor) -> bool {
    let name = message.full_name();
    let free = ["google.protobuf.Struct", "google.protobuf.ListValue", "google.protobuf.Value"];
    !name.starts_with("google.protobuf.") || free.contains(&name)
}
