//! The routes of the admin listener: liveness, start, readiness and metrics.

use std::time::Instant;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::runtime::Handle;

use crate::health::Readiness;
use crate::server::listener::service_fn;
use crate::server::{HttpRequest, HttpResponse, HttpService};
use crate::telemetry::Metrics;

/// `GET /healthz`: whether the process makes progress. `GET /startupz`: whether it has started, or what it waits for.
/// `GET /readyz`: whether it may get traffic, or why not. `GET /metrics`: its metrics. `main` is the runtime that serves
/// requests.
pub(super) fn service(readiness: Readiness, metrics: Metrics, main: Handle) -> impl HttpService {
    service_fn(move |request: HttpRequest| {
        let (readiness, metrics, main) = (readiness.clone(), metrics.clone(), main.clone());
        async move {
            match request.uri().path() {
                "/healthz" if readiness.is_stuck(Instant::now()) => {
                    unavailable(&json!({"status": "stuck", "reason": "no thread makes progress"}))
                }
                "/healthz" => json_response(StatusCode::OK, &json!({"status": "ok"})),
                "/startupz" => match readiness.not_started_reason() {
                    None => json_response(StatusCode::OK, &json!({"status": "started"})),
                    Some(reason) => unavailable(&json!({"status": "starting", "reason": reason})),
                },
                "/readyz" => match readiness.not_ready_reason_on(&main).await {
                    None => json_response(StatusCode::OK, &readiness.with_details(json!({"status": "ready"}))),
                    Some(reason) => {
                        unavailable(&readiness.with_details(json!({"status": "not ready", "reason": reason})))
                    }
                },
                "/metrics" => match metrics.page(accepts_openmetrics(request.headers())) {
                    Some(page) => response(StatusCode::OK, page.content_type, page.text),
                    None => not_found("Metrics are switched off"),
                },
                _ => not_found("Route not found"),
            }
        }
    })
}

/// Whether the client accepts OpenMetrics. Its weight does not matter: a client that names the format reads it.
fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accept
        .flat_map(|accept| accept.split(','))
        .any(|media_type| media_type.trim_start().starts_with("application/openmetrics-text"))
}

fn unavailable(body: &serde_json::Value) -> HttpResponse {
    json_response(StatusCode::SERVICE_UNAVAILABLE, body)
}

fn not_found(message: &str) -> HttpResponse {
    json_response(StatusCode::NOT_FOUND, &json!({"code": "not_found", "message": message}))
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    response(status, "application/json", body.to_string())
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> HttpResponse {
    let mut response = http::Response::new(tonic::body::Body::new(Full::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
