//! Services: the tonic traits, servers and clients, the policies of their calls, and the REST routes to them.

mod binding;
mod checked;
mod field;
mod policy;
mod reasons;
mod routes;
#[cfg(test)]
mod tests;
mod tonic;

use anyhow::{Result, bail};
use heck::{ToShoutySnakeCase, ToSnakeCase};
use proc_macro2::{Ident, TokenStream};
use prost_reflect::{MessageDescriptor, MethodDescriptor, ServiceDescriptor};
use quote::{format_ident, quote};

use crate::names;
use crate::schema::Schema;

pub(crate) use self::tonic::client;
pub(crate) use binding::{Binding, Body, Upload, answers_bytes, bindings};
pub(crate) use reasons::reasons;

pub(crate) fn service(schema: &Schema, service: &ServiceDescriptor) -> Result<TokenStream> {
    let tonic = tonic::service(schema, service)?;
    let policies = policy::policies(schema, service)?;
    let checked = checked::service(schema, service)?;
    let routes = routes::service(schema, service)?;
    let module = format_ident!("{}_rest", service.name().to_snake_case());
    let doc = format!(" The calls of {}: their policies, checks and REST routes.", service.name());
    Ok(quote! {
        #tonic
        #[doc = #doc]
        pub mod #module {
            #policies
            #checked
            #routes
        }
    })
}

/// The path of a message's type from a module one below its package's, where servers, clients and routes live.
fn type_path(schema: &Schema, method: &MethodDescriptor, message: &MessageDescriptor) -> TokenStream {
    one_below(schema.message_path(message, method.parent_service().package_name()))
}

/// A path from the package's module, seen from a module below it.
fn one_below(path: TokenStream) -> TokenStream {
    match path.to_string().split_whitespace().next() {
        Some("::" | "crate" | "()" | "bool" | "f32" | "f64" | "i32" | "i64" | "u32" | "u64") => path,
        _ => quote!(super::#path),
    }
}

/// The trait that tonic-build makes of a service.
fn trait_path(service: &ServiceDescriptor) -> TokenStream {
    let mut module = String::new();
    for (position, letter) in service.name().char_indices() {
        if position > 0 && letter.is_uppercase() {
            module.push('_');
        }
        module.push(letter.to_ascii_lowercase());
    }
    let (module, name) = (format_ident!("{module}_server"), format_ident!("{}", service.name()));
    quote!(super::#module::#name)
}

/// The constant that holds a call's policy.
fn policy_name(method: &MethodDescriptor) -> Ident {
    names::ident(&method.name().to_shouty_snake_case())
}

/// The method of the trait.
fn method_name(method: &MethodDescriptor) -> Ident {
    names::snake(method.name())
}

/// Whether the generator makes codec and validators for a message: not for those that prost brings along.
fn is_own(message: &MessageDescriptor) -> bool {
    message.package_name() != "google.protobuf"
}

/// Refuses an option with a sentence that names its place.
fn refuse<T>(method: &MethodDescriptor, what: impl std::fmt::Display) -> Result<T> {
    bail!("{}: {what}", method.full_name())
}
