//! The operators' port: is the process alive, and may it get traffic.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::layer::HttpService;
use super::listener::service_fn;
use super::{HttpRequest, HttpResponse};
use crate::store::Store;

/// How long the database may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the service may get traffic, and why not.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: Arc<Mutex<State>>,
    details: Arc<Mutex<Vec<Detail>>>,
}

/// Something that operators are shown at `/readyz`, whether ready or not.
struct Detail {
    name: &'static str,
    value: Box<dyn Fn() -> serde_json::Value + Send + Sync>,
}

impl std::fmt::Debug for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[derive(Clone, Debug)]
enum State {
    Waiting(String),
    /// As long as this database answers.
    Ready(Store),
}

impl Readiness {
    /// Not ready: `reason`.
    #[must_use]
    pub fn waiting(reason: impl Into<String>) -> Self {
        Self { state: Arc::new(Mutex::new(State::Waiting(reason.into()))), details: Arc::default() }
    }

    /// Makes it ready as long as `store` answers.
    pub fn ready(&self, store: Store) {
        self.set(State::Ready(store));
    }

    /// Makes it not ready: `reason`. True where that is news.
    pub fn wait(&self, reason: &str) -> bool {
        !matches!(self.set(State::Waiting(reason.to_owned())), State::Waiting(known) if known == reason)
    }

    /// Shows `value` under `name` at every later question; it has no say in the readiness.
    pub fn show(&self, name: &'static str, value: impl Fn() -> serde_json::Value + Send + Sync + 'static) {
        self.lock_details().push(Detail { name, value: Box::new(value) });
    }

    /// `body` with the details.
    fn with_details(&self, mut body: serde_json::Value) -> serde_json::Value {
        for Detail { name, value } in self.lock_details().iter() {
            body[*name] = value();
        }
        body
    }

    fn lock_details(&self) -> MutexGuard<'_, Vec<Detail>> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) -> State {
        std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// Why it is not ready, if it is not.
    pub async fn obstacle(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match state {
            State::Waiting(reason) => Some(reason),
            State::Ready(store) => match tokio::time::timeout(PROBE_TIMEOUT, store.ping()).await {
                Ok(Ok(())) => None,
                Ok(Err(_)) => Some("the database does not answer".to_owned()),
                Err(_) => Some("the database does not answer in time".to_owned()),
            },
        }
    }
}

/// `GET /healthz`: the process runs. `GET /readyz`: it may get traffic, or why not.
pub fn service(readiness: Readiness) -> impl HttpService {
    service_fn(move |request: HttpRequest| {
        let readiness = readiness.clone();
        async move {
            match request.uri().path() {
                "/healthz" => answer(StatusCode::OK, &json!({"status": "ok"})),
                "/readyz" => match readiness.obstacle().await {
                    None => answer(StatusCode::OK, &readiness.with_details(json!({"status": "ready"}))),
                    Some(reason) => {
                        let body = readiness.with_details(json!({"status": "not ready", "reason": reason}));
                        answer(StatusCode::SERVICE_UNAVAILABLE, &body)
                    }
                },
                _ => answer(StatusCode::NOT_FOUND, &json!({"code": "not_found", "message": "Route not found"})),
            }
        }
    })
}

fn answer(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    let mut response = http::Response::new(tonic::body::Body::new(http_body_util::Full::from(body.to_string())));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
