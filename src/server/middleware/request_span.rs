//! The span of a request.

use http::Method;
use kira_gateway::error::ErrorReason;
use opentelemetry::trace::{Status, TraceContextExt as _};
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::response_summary::{ResponseSummary, code_name};
use crate::telemetry::metrics::RequestOutcome;

/// A new span; inner layers record what is empty.
pub(super) fn new(protocol: &'static str, request_id: &str) -> Span {
    tracing::info_span!(
        "request",
        otel.kind = "server",
        protocol,
        request_id,
        trace_id = field::Empty,
        client_id = field::Empty,
        user_id = field::Empty,
    )
}

/// Sets the name and attributes of the semantic conventions for HTTP and RPC. Paths and queries are left out: they may
/// hold personal data.
pub(super) fn complete(span: &Span, summary: &ResponseSummary, method: &'static str) {
    let context = span.context();
    let span = context.span();
    if !span.is_recording() {
        return;
    }
    let attribute = |key: &'static str, value: opentelemetry::Value| {
        span.set_attribute(opentelemetry::KeyValue::new(key, value));
    };
    match summary.grpc_code {
        Some(code) => {
            let path = summary.call.method.map_or("other", |method| method.grpc_path.trim_start_matches('/'));
            span.update_name(path);
            attribute("rpc.system.name", "grpc".into());
            attribute("rpc.method", path.into());
            attribute("rpc.response.status_code", code_name(code).into());
        }
        None => {
            let route = summary.call.route.unwrap_or_default();
            span.update_name(format!("{method} {route}").trim_end().to_owned());
            attribute("http.request.method", method.into());
            if !route.is_empty() {
                attribute("http.route", route.into());
            }
            attribute("http.response.status_code", i64::from(summary.status.as_u16()).into());
        }
    }
    if let Some(reason) = summary.reason.map(ErrorReason::machine_code) {
        attribute("error.type", reason.into());
    }
    if summary.outcome() == RequestOutcome::ServerError {
        span.set_status(Status::error(""));
    }
}

/// The method by the semantic conventions, which write an unknown one as `_OTHER`: its text may be anything.
pub(super) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}
