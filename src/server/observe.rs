//! The outermost layer: a request's id, its span, its line in the log, and what becomes of a panic.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, StatusCode};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use opentelemetry::propagation::Extractor;
use tracing::{Instrument, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::door::Door;
use super::layer::{HttpService, Wrap, pass};
use super::{HttpRequest, HttpResponse};
use crate::ambient::SharedAmbient;

const REQUEST_ID: &str = "x-request-id";

#[derive(Clone)]
pub(super) struct Observe {
    ambient: SharedAmbient,
    door: &'static str,
    panicked: fn() -> HttpResponse,
}

impl Observe {
    pub(super) fn new<D: Door>(ambient: SharedAmbient) -> Self {
        let panicked = if D::NAME == "grpc" {
            || error::because(ErrorReason::InternalError).into_http()
        } else {
            || error::rest_response(&error::because(ErrorReason::InternalError))
        };
        Self { ambient, door: D::NAME, panicked }
    }
}

impl Wrap for Observe {
    async fn wrap<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        let id = request_id(request.headers(), &self.ambient);
        request.headers_mut().insert(REQUEST_ID, id.clone());
        let span = tracing::info_span!(
            "request",
            otel.kind = "server",
            door = self.door,
            request_id = id.to_str().unwrap_or_default(),
            rpc = field::Empty,
            client_id = field::Empty,
        );
        let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&Headers(request.headers()))
        });
        // Where no traces are sent the span has no place for a parent; nothing is lost then.
        let _ = span.set_parent(parent);
        let started = Instant::now();
        let answered = AssertUnwindSafe(pass(request, next).instrument(span.clone())).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|_| (self.panicked)());
        response.headers_mut().insert(REQUEST_ID, id);
        log(&span, &response, started);
        response
    }
}

/// The request's one line.
fn log(span: &Span, response: &HttpResponse, started: Instant) {
    let _entered = span.enter();
    let status = response.status();
    // Of a gRPC call that fails at once the code is among the headers; of one that succeeds, behind the body.
    let grpc_status = response.headers().get("grpc-status").and_then(|code| code.to_str().ok());
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let failed = status >= StatusCode::INTERNAL_SERVER_ERROR || matches!(grpc_status, Some("2" | "13" | "14" | "15"));
    if failed {
        tracing::warn!(status = status.as_u16(), grpc_status, micros, "answered");
    } else {
        tracing::info!(status = status.as_u16(), grpc_status, micros, "answered");
    }
}

/// The caller's id for the request if it is sane (decisions, section 1), else a new one.
fn request_id(headers: &HeaderMap, ambient: &SharedAmbient) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        (1..=128).contains(&id.len()) && id.as_bytes().iter().all(plain)
    };
    headers.get(REQUEST_ID).filter(sane).cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&ambient.new_id().to_string()).expect("a UUID is a header value")
    })
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
