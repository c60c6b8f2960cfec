//! What a client is made of: messages that print no personal value, gRPC clients, and what is to be known of each call.

use anyhow::Result;
use heck::ToSnakeCase;
use proc_macro2::TokenStream;
use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use quote::{format_ident, quote};

use crate::schema::Schema;
use crate::{debug, service};

/// The header that names a request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The code of a package, beside what prost makes of it.
///
/// # Errors
/// What is wrong with the options of a message or a call.
pub(crate) fn package(schema: &Schema, package: &str) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    for message in schema.messages(package) {
        code.extend(debug::message(schema, &message)?);
    }
    for r#enum in schema.enums(package) {
        let path = crate::names::within_package(r#enum.full_name(), package);
        code.extend(quote! {
            impl ::core::fmt::Debug for #path {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(self.as_str_name())
                }
            }
        });
    }
    let mut calls = Vec::new();
    for service in schema.services(package) {
        code.extend(service::client(schema, &service));
        code.extend(accessor(&service));
        let reads = reads(schema, &service)?;
        for method in service.methods() {
            calls.push(call(schema, &method, reads.contains(&method.name().to_owned()))?);
        }
    }
    if !calls.is_empty() {
        code.extend(quote! {
            /// All calls of the package.
            pub(crate) const CALLS: &[crate::calls::Call] = &[#(#calls),*];
        });
    }
    Ok(code)
}

/// How the client of a service is reached.
fn accessor(service: &ServiceDescriptor) -> TokenStream {
    let name = service.name().trim_end_matches("Service");
    let doc = format!(" The calls of `{}`.", service.name());
    let (method, module) = (crate::names::snake(name), format_ident!("{}_client", service.name().to_snake_case()));
    let client = format_ident!("{}Client", service.name());
    quote! {
        impl crate::Client {
            #[doc = #doc]
            #[must_use]
            pub fn #method(&self) -> #module::#client<crate::KiraChannel> {
                #module::#client::new(self.channel())
                    .max_decoding_message_size(crate::client::MOST_BYTES)
                    .max_encoding_message_size(crate::client::MOST_BYTES)
            }
        }
    }
}

/// The calls of a service that change nothing, or nothing more when they are repeated, by their HTTP methods.
fn reads(schema: &Schema, service: &ServiceDescriptor) -> Result<Vec<String>> {
    let bindings = service::bindings(schema, service)?;
    let repeats = bindings.into_iter().filter(|binding| matches!(binding.verb.as_str(), "GET" | "DELETE"));
    Ok(repeats.map(|binding| binding.method.name().to_owned()).collect())
}

fn call(schema: &Schema, method: &MethodDescriptor, is_read: bool) -> Result<TokenStream> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let options = schema.extension(&method.options(), "kira.api.v1.method");
    let permission = options.as_ref().and_then(|options| options.string("permission"));
    let is_public = permission.is_none();
    let is_repeatable = is_read || permission.is_none_or(|permission| permission.ends_with(":read"));
    let leaves = schema.shape(&method.input())?.leaves;
    let key = leaves.iter().find(|leaf| leaf.field.header.as_deref() == Some(IDEMPOTENCY_KEY));
    let key_field = match key.map(|leaf| leaf.field.descriptor.number()) {
        Some(number) => quote!(Some(#number)),
        None => quote!(None),
    };
    let is_stream = method.is_server_streaming();
    Ok(quote! {
        crate::calls::Call {
            path: #path,
            is_public: #is_public,
            is_repeatable: #is_repeatable,
            is_stream: #is_stream,
            key_field: #key_field,
        }
    })
}
