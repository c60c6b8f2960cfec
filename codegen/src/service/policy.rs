//! The policy of every call as a constant.

use anyhow::{Context, Result};
use proc_macro2::TokenStream;
use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use quote::quote;

use crate::options::Options;
use crate::schema::Schema;

const ACCESS_PUBLIC: u64 = 1;

/// One static for each call, and `METHODS`, all of them.
pub(super) fn policies(schema: &Schema, service: &ServiceDescriptor) -> Result<TokenStream> {
    let runtime = crate::runtime();
    let mut statics = TokenStream::new();
    let mut names = Vec::new();
    for method in service.methods() {
        let name = super::policy_name(&method);
        let policy = policy(schema, &method)?;
        let doc = format!(" The policy of {}.", method.name());
        statics.extend(quote! {
            #[doc = #doc]
            pub static #name: #runtime::method::Method = #policy;
        });
        names.push(name);
    }
    Ok(quote! {
        #statics
        /// The policies of all calls.
        pub const METHODS: &[&#runtime::method::Method] = &[#(&#names),*];
    })
}

/// The template of the `Location` of a success.
pub(super) fn location(options: &Option<Options>) -> Option<String> {
    options.as_ref().and_then(|options| options.string("location"))
}

/// The path of the field that is the id of a stream's item.
pub(super) fn event_id(options: &Option<Options>) -> Option<String> {
    options.as_ref().and_then(|options| options.string("event_id"))
}

/// Whether the service judges the body itself.
pub(super) fn is_late(schema: &Schema, method: &MethodDescriptor) -> bool {
    options(schema, method).is_some_and(|options| options.flag("late"))
}

pub(super) fn options(schema: &Schema, method: &MethodDescriptor) -> Option<Options> {
    schema.extension(&method.options(), "kira.api.v1.method")
}

fn policy(schema: &Schema, method: &MethodDescriptor) -> Result<TokenStream> {
    let runtime = crate::runtime();
    let options = options(schema, method);
    let number = |name: &str| options.as_ref().and_then(|options| options.number(name)).filter(|number| *number != 0);
    let status = |name: &str| match number(name).map(u16::try_from) {
        None => Ok(None),
        Some(Ok(status @ 200..=299)) => Ok(Some(status)),
        Some(_) => super::refuse(method, format_args!("`{name}` is no status of a success")),
    };
    let optional = |found: Option<TokenStream>| found.map_or_else(|| quote!(None), |found| quote!(Some(#found)));
    let service = method.parent_service().full_name().to_owned();
    let (name, grpc_path) = (method.name(), format!("/{service}/{}", method.name()));
    let success_code = status("success_code")?.unwrap_or(200);
    let replay_code = status("replay_code")?.unwrap_or(success_code);
    let access = match number("access") {
        Some(ACCESS_PUBLIC) => quote!(Public),
        _ => quote!(Client),
    };
    let location = optional(location(&options).map(|text| quote!(#text)));
    let permission =
        optional(options.as_ref().and_then(|options| options.string("permission")).map(|text| quote!(#text)));
    let max_age = number("max_age").map(u32::try_from).transpose().context("max_age")?;
    let max_age = optional(max_age.map(|seconds| quote!(#seconds)));
    let server_streaming = method.is_server_streaming() && !super::binding::answers_bytes(schema, method);
    Ok(quote! {
        #runtime::method::Method {
            service: #service,
            name: #name,
            grpc_path: #grpc_path,
            success_code: #success_code,
            replay_code: #replay_code,
            location: #location,
            access: #runtime::method::Access::#access,
            permission: #permission,
            max_age: #max_age,
            server_streaming: #server_streaming,
        }
    })
}
