//! The service trait on `Checked<S>`: what every call of either protocol passes before it reaches the service.

use anyhow::{Result, ensure};
use proc_macro2::TokenStream;
use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use quote::{format_ident, quote};

use super::Upload;
use crate::model::{Arity, Field, Member, Type};
use crate::schema::Schema;

pub(super) fn service(schema: &Schema, service: &ServiceDescriptor) -> Result<TokenStream> {
    let runtime = crate::runtime();
    let path = super::trait_path(service);
    let mut methods = TokenStream::new();
    for method in service.methods() {
        methods.extend(self::method(schema, &method, &path)?);
    }
    Ok(quote! {
        #[::tonic::async_trait]
        impl<S: #path> #path for #runtime::Checked<S> {
            #methods
        }
    })
}

fn method(schema: &Schema, method: &MethodDescriptor, path: &TokenStream) -> Result<TokenStream> {
    let runtime = crate::runtime();
    let name = super::method_name(method);
    let request = super::type_path(schema, method, &method.input());
    let response = super::type_path(schema, method, &method.output());
    let stream = format_ident!("{}Stream", method.name());
    let (stream_type, response) = if method.is_server_streaming() {
        (quote!(type #stream = <S as #path>::#stream;), quote!(Self::#stream))
    } else {
        (TokenStream::new(), response)
    };
    let call = quote!(self.inner().#name(request).await.map_err(#runtime::error::complete));
    if Upload::of(schema, method)?.is_some() {
        let headers = headers(schema, method)?;
        let parameters = if headers.is_empty() { quote!(_, _) } else { quote!(message, headers) };
        return Ok(quote! {
            #stream_type
            async fn #name(&self, request: ::tonic::Request<::tonic::Streaming<#request>>)
                -> ::core::result::Result<::tonic::Response<#response>, ::tonic::Status> {
                let (mut first, messages) =
                    #runtime::upload::open(request).await.map_err(#runtime::error::complete)?;
                self.accept(&mut first, |#parameters| { #headers })?;
                let request = #runtime::upload::join(first, messages);
                #call
            }
        });
    }
    if method.is_client_streaming() {
        // Its messages arrive one by one; only the service can judge them.
        return Ok(quote! {
            #stream_type
            async fn #name(&self, request: ::tonic::Request<::tonic::Streaming<#request>>)
                -> ::core::result::Result<::tonic::Response<#response>, ::tonic::Status> {
                #call
            }
        });
    }
    let accept = if super::is_own(&method.input()) {
        let headers = headers(schema, method)?;
        let parameters = if headers.is_empty() { quote!(_, _) } else { quote!(message, headers) };
        let accept = if super::policy::is_late(schema, method) { quote!(accept_late) } else { quote!(accept) };
        quote!(self.#accept(&mut request, |#parameters| { #headers })?;)
    } else {
        quote!(self.accept_any(&mut request)?;)
    };
    Ok(quote! {
        #stream_type
        async fn #name(&self, mut request: ::tonic::Request<#request>)
            -> ::core::result::Result<::tonic::Response<#response>, ::tonic::Status> {
            #accept
            #call
        }
    })
}

/// Fills the fields that are headers.
fn headers(schema: &Schema, method: &MethodDescriptor) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    for member in schema.members(&method.input())? {
        let Member::Field(Field { header: Some(header), r#type, arity, rust, descriptor, .. }) = member else {
            continue;
        };
        let place = descriptor.full_name();
        ensure!(matches!(r#type, Type::String), "{place}: only a text can be a header");
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        ensure!(
            header.chars().all(plain) && !header.ends_with("-bin") && !header.starts_with("grpc-"),
            "{place}: `{header}` is no name of a header: lower-case letters, digits and hyphens, no `grpc-`, no `-bin`"
        );
        code.extend(match arity {
            Arity::Optional => quote!(headers.bind(#header, &mut message.#rust);),
            Arity::Implicit => quote!(headers.bind_implicit(#header, &mut message.#rust);),
            Arity::List | Arity::Map => {
                return super::refuse(method, format_args!("{place}: a header is a single text"));
            }
        });
    }
    Ok(code)
}
