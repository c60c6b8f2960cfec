//! Closes HTTP/1 connections during a drain, so that clients open their next connection to another replica.
//!
//! A load balancer stops sending new connections to a replica that is not ready, but keeps those that are open. Closing
//! an idle one would race with the next request. So the next response closes it (`connection: close`), after which its
//! client sends nothing more. HTTP/2 connections end by GOAWAY, which names the last request that is answered.

use http::header::CONNECTION;
use http::{HeaderValue, Version};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;

use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::{HttpService, Middleware, MiddlewareLayer, run};

/// Wraps `service`: once `draining` is cancelled, the next response of each HTTP/1 connection closes it.
pub fn draining(service: impl HttpService, draining: CancellationToken) -> impl HttpService {
    ServiceBuilder::new().layer(MiddlewareLayer(ConnectionClose { draining })).service(service)
}

#[derive(Clone)]
struct ConnectionClose {
    draining: CancellationToken,
}

impl Middleware for ConnectionClose {
    async fn handle<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let version = request.version();
        let mut response = run(request, next).await;
        if version <= Version::HTTP_11 && self.draining.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
