//! gRPC-Web: the form of gRPC that browsers can speak, over HTTP/1.1 too, with the trailers in the body. It is translated to
//! gRPC before anything else sees the request, so that every limit and every check is the same.

use http::Method;
use http::header::{self, HeaderValue};
use http_body_util::BodyExt as _;
use kira_gateway::error;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::Layer as _;

use crate::server::context::OverGrpcWeb;
use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::{HttpService, Middleware, run};

const BINARY: [&str; 2] = ["application/grpc-web", "application/grpc-web+proto"];
/// The body is base64.
const TEXT: [&str; 2] = ["application/grpc-web-text", "application/grpc-web-text+proto"];

/// Translates gRPC-Web requests to gRPC, and their responses back; other requests pass as they are.
#[derive(Clone)]
pub(in crate::server) struct GrpcWeb;

impl Middleware for GrpcWeb {
    async fn handle<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let media_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let is_one_of = |types: [&str; 2]| types.iter().any(|known| known.as_bytes() == media_type);
        let is_text = is_one_of(TEXT);
        // The layer answers everything else over HTTP/1.1 by itself, without the documented error.
        if request.method() != Method::POST || !(is_text || is_one_of(BINARY)) {
            return run(request, next).await;
        }
        let next = tower::service_fn(move |request: HttpRequest| {
            let next = next.clone();
            async move { Ok(run(marked(request, is_text), next).await) }
        });
        run(request, GrpcWebLayer::new().layer(next)).await
    }
}

fn marked(mut request: HttpRequest, is_text: bool) -> HttpRequest {
    request.extensions_mut().insert(OverGrpcWeb);
    if is_text { request.map(with_documented_errors) } else { request }
}

/// The layer reports base64 that it cannot decode as an error of the server.
fn with_documented_errors(body: Body) -> Body {
    Body::new(body.map_err(|_| error::invalid("custom", "The body is not valid base64")))
}
