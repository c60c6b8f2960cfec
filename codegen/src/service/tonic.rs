//! The tonic traits, servers and clients, by tonic-build.

use anyhow::Result;
use heck::ToSnakeCase;
use proc_macro2::TokenStream;
use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use quote::quote;
use tonic_build::CodeGenBuilder;

use crate::schema::Schema;

pub(super) fn service(schema: &Schema, service: &ServiceDescriptor) -> Result<TokenStream> {
    let mut builder = CodeGenBuilder::new();
    builder.emit_package(true);
    // What clients send is decoded within bounds; responses come from a server of our own.
    let server =
        builder.generate_server(&Service::new(schema, service, "::kira_gateway::bounded::BoundedCodec"), "super");
    let client = client(schema, service);
    Ok(quote!(#client #server))
}

/// The client of a service.
pub(crate) fn client(schema: &Schema, service: &ServiceDescriptor) -> TokenStream {
    let mut builder = CodeGenBuilder::new();
    builder.emit_package(true);
    builder.generate_client(&Service::new(schema, service, "tonic_prost::ProstCodec"), "super")
}

/// A service as tonic-build wants to see it.
struct Service {
    name: String,
    package: String,
    methods: Vec<Method>,
    comment: Vec<String>,
}

struct Method {
    identifier: String,
    codec: &'static str,
    name: String,
    client_streaming: bool,
    server_streaming: bool,
    request: TokenStream,
    response: TokenStream,
    comment: Vec<String>,
}

impl Service {
    fn new(schema: &Schema, service: &ServiceDescriptor, codec: &'static str) -> Self {
        Self {
            name: service.name().to_owned(),
            package: service.package_name().to_owned(),
            methods: service.methods().map(|method| Method::new(schema, &method, codec)).collect(),
            comment: comments(service.parent_file().file_descriptor_proto(), service.path()),
        }
    }
}

impl Method {
    fn new(schema: &Schema, method: &MethodDescriptor, codec: &'static str) -> Self {
        Self {
            identifier: method.name().to_owned(),
            codec,
            name: method.name().to_snake_case(),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
            request: super::type_path(schema, method, &method.input()),
            response: super::type_path(schema, method, &method.output()),
            comment: comments(method.parent_file().file_descriptor_proto(), method.path()),
        }
    }
}

impl tonic_build::Service for Service {
    type Comment = String;
    type Method = Method;

    fn name(&self) -> &str {
        &self.name
    }

    fn package(&self) -> &str {
        &self.package
    }

    fn identifier(&self) -> &str {
        &self.name
    }

    fn methods(&self) -> &[Method] {
        &self.methods
    }

    fn comment(&self) -> &[String] {
        &self.comment
    }
}

impl tonic_build::Method for Method {
    type Comment = String;

    fn name(&self) -> &str {
        &self.name
    }

    fn identifier(&self) -> &str {
        &self.identifier
    }

    fn codec_path(&self) -> &str {
        self.codec
    }

    fn client_streaming(&self) -> bool {
        self.client_streaming
    }

    fn server_streaming(&self) -> bool {
        self.server_streaming
    }

    fn comment(&self) -> &[String] {
        &self.comment
    }

    fn request_response_name(&self, _: &str, _: bool) -> (TokenStream, TokenStream) {
        (self.request.clone(), self.response.clone())
    }
}

/// The lines of the comment before the element at `path`.
fn comments(file: &prost_types::FileDescriptorProto, path: &[i32]) -> Vec<String> {
    let info = file.source_code_info.iter().flat_map(|info| &info.location).find(|location| location.path == path);
    let text = info.and_then(|location| location.leading_comments.as_deref()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
