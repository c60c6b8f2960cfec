//! The operators' port: is the process alive, and may it get traffic.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::layer::HttpService;
use super::listener::service_fn;
use super::{HttpRequest, HttpResponse};
use crate::store::Store;

/// How long the database may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the service is not ready; empty when it is.
#[derive(Clone, Debug)]
pub struct Readiness {
    reason: Arc<Mutex<Option<String>>>,
}

impl Readiness {
    /// Not ready: `reason`.
    #[must_use]
    pub fn waiting(reason: &str) -> Self {
        Self { reason: Arc::new(Mutex::new(Some(reason.to_owned()))) }
    }

    /// Makes it ready.
    pub fn ready(&self) {
        self.set(None);
    }

    /// Makes it not ready: `reason`.
    pub fn wait(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    /// Why it is not ready, if it is not.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, reason: Option<String>) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// `GET /healthz`: the process runs. `GET /readyz`: it may get traffic, or why not.
pub fn service(readiness: Readiness, store: Store) -> impl HttpService {
    service_fn(move |request: HttpRequest| {
        let (readiness, store) = (readiness.clone(), store.clone());
        async move {
            match request.uri().path() {
                "/healthz" => answer(StatusCode::OK, &json!({"status": "ok"})),
                "/readyz" => match unready(&readiness, &store).await {
                    None => answer(StatusCode::OK, &json!({"status": "ready"})),
                    Some(reason) => {
                        answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "not ready", "reason": reason}))
                    }
                },
                _ => answer(StatusCode::NOT_FOUND, &json!({"code": "not_found", "message": "Route not found"})),
            }
        }
    })
}

async fn unready(readiness: &Readiness, store: &Store) -> Option<String> {
    if let Some(reason) = readiness.reason() {
        return Some(reason);
    }
    match tokio::time::timeout(PROBE_TIMEOUT, store.ping()).await {
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some("the database does not answer".to_owned()),
        Err(_) => Some("the database does not answer in time".to_owned()),
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    let mut response = http::Response::new(tonic::body::Body::new(http_body_util::Full::from(body.to_string())));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
