//! The documents of the REST API: OpenAPI, `llms.txt`, and a page that shows the first and lets a reader try its calls.
//!
//! All of it is in the binary. The page loads nothing from elsewhere, which its content security policy enforces.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use kira_gateway::error;
use kira_gateway::method::{self, Access};
use kira_gateway::rest::names_entity_tag;
use tonic::Status;
use tonic::body::Body;

use crate::server::message::{HttpRequest, HttpResponse};

/// The policy of these documents: no client needs credentials to read them.
pub(super) static READ: method::Method = method::Method {
    service: "Docs",
    name: "Read",
    grpc_path: "Docs/Read",
    success_code: 200,
    replay_code: 200,
    location: None,
    access: Access::Public,
    permission: None,
    max_age: None,
    server_streaming: false,
};

const SCRIPTS_AND_STYLES_OF_THIS_ORIGIN: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: [(&str, &str, &[u8]); 8] = [
    ("/docs", "text/html; charset=utf-8", include_bytes!("page.html")),
    ("/docs/page.css", "text/css; charset=utf-8", include_bytes!("page.css")),
    ("/docs/page.js", "text/javascript; charset=utf-8", include_bytes!("page.js")),
    ("/openapi.json", "application/json", include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json"))),
    ("/openapi-3.2.json", "application/json", include_bytes!(concat!(env!("OUT_DIR"), "/openapi-3.2.json"))),
    ("/openapi.yaml", "application/yaml", include_bytes!(concat!(env!("OUT_DIR"), "/openapi.yaml"))),
    ("/llms.txt", "text/markdown; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/llms.txt"))),
    // A FileDescriptorSet, for gRPC clients that have neither the protos nor reflection.
    (
        "/descriptors.binpb",
        "application/protobuf",
        include_bytes!(concat!(env!("OUT_DIR"), "/contract.descriptors.bin")),
    ),
];

/// One document.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) path: &'static str,
    media_type: &'static str,
    content: &'static [u8],
    etag: HeaderValue,
}

/// All documents.
#[derive(Debug)]
pub struct Docs(Vec<Document>);

impl Docs {
    /// The documents in the binary.
    #[must_use]
    pub fn new() -> Self {
        let document = |(path, media_type, content): (&'static str, &'static str, &'static [u8])| {
            let digest = ring::digest::digest(&ring::digest::SHA256, content);
            let hex: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            let etag = HeaderValue::try_from(format!("\"{hex}\"")).expect("hexadecimal is a header value");
            Document { path, media_type, content, etag }
        };
        Self(FILES.into_iter().map(document).collect())
    }

    /// The document that a request is for; none where it is for something else.
    ///
    /// # Errors
    /// METHOD_NOT_ALLOWED for any method but GET and HEAD.
    pub(super) fn find(&self, request: &HttpRequest) -> Option<Result<Document, Status>> {
        let document = self.0.iter().find(|document| document.path == request.uri().path())?;
        Some(match *request.method() {
            Method::GET | Method::HEAD => Ok(document.clone()),
            _ => Err(error::method_not_allowed(request.method(), &["GET", "HEAD"])),
        })
    }
}

impl Default for Docs {
    fn default() -> Self {
        Self::new()
    }
}

impl Document {
    /// Answers a request for it.
    pub(super) fn respond(self, request: &HttpRequest) -> HttpResponse {
        let is_known = names_entity_tag(request.headers().get_all(header::IF_NONE_MATCH), &self.etag);
        let body = match is_known || request.method() == Method::HEAD {
            true => Body::empty(),
            false => Body::new(Full::new(Bytes::from_static(self.content))),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        // A new version is seen at once, also by caches that are shared.
        set(header::CACHE_CONTROL, "public, no-cache");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::REFERRER_POLICY, "no-referrer");
        set(header::CONTENT_SECURITY_POLICY, SCRIPTS_AND_STYLES_OF_THIS_ORIGIN);
        set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        if !is_known {
            set(header::CONTENT_TYPE, self.media_type);
            headers.insert(header::CONTENT_LENGTH, self.content.len().into());
        }
        headers.insert(header::ETAG, self.etag);
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        response
    }
}
