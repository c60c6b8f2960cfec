//! The operators' port: is the process alive, has it started, may it get traffic, and what does it measure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::layer::HttpService;
use super::listener::service_fn;
use super::{HttpRequest, HttpResponse};
use crate::store::{Engine, Store};
use crate::telemetry::Metrics;

/// How long the database may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// A database that has answered something this long ago is there.
const LATELY: Duration = Duration::from_secs(5);

/// Whether the service may get traffic, and why not.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: Arc<Mutex<State>>,
    started: Arc<AtomicBool>,
    /// How many statements the database had answered when that was last news.
    heard: Arc<Mutex<Option<(u64, Instant)>>>,
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
        Self {
            state: Arc::new(Mutex::new(State::Waiting(reason.into()))),
            started: Arc::default(),
            heard: Arc::default(),
            details: Arc::default(),
        }
    }

    /// Makes it ready as long as `store` answers.
    pub fn ready(&self, store: Store) {
        self.set(State::Ready(store));
        self.started.store(true, Ordering::Relaxed);
    }

    /// What the start waits for; none once it was ready, whatever came afterwards.
    fn waits_to_start(&self) -> Option<String> {
        if self.started.load(Ordering::Relaxed) {
            return None;
        }
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Waiting(reason) => Some(reason.clone()),
            State::Ready(_) => None,
        }
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

    /// Whether the database has answered a statement within the last seconds, by the number of those that it has.
    fn spoke_lately(&self, answered: u64) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.is_none_or(|(before, _)| before != answered) {
            *heard = Some((answered, Instant::now()));
        }
        heard.is_some_and(|(_, at)| at.elapsed() < LATELY)
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
            State::Ready(store) => {
                let ping = tokio::time::timeout(PROBE_TIMEOUT, store.ping()).await;
                let spoke_lately = self.spoke_lately(store.answered());
                match ping {
                    Ok(Ok(())) => None,
                    Ok(Err(_)) => Some("the database does not answer".to_owned()),
                    // The ping of PostgreSQL waits for a connection as requests do. Where they get their answers, there
                    // is only much to do, and to take no more of it here would burden the others until they give up too.
                    Err(_) if spoke_lately && store.engine() == Engine::Postgres => None,
                    Err(_) => Some("the database does not answer in time".to_owned()),
                }
            }
        }
    }
}

/// `GET /healthz`: the process runs. `GET /startupz`: it has started, or what it waits for. `GET /readyz`: it may get
/// traffic, or why not. `GET /metrics`: what it measures.
pub fn service(readiness: Readiness, metrics: Metrics) -> impl HttpService {
    service_fn(move |request: HttpRequest| {
        let (readiness, metrics) = (readiness.clone(), metrics.clone());
        async move {
            match request.uri().path() {
                "/healthz" => answer(StatusCode::OK, &json!({"status": "ok"})),
                "/startupz" => match readiness.waits_to_start() {
                    None => answer(StatusCode::OK, &json!({"status": "started"})),
                    Some(reason) => unavailable(&json!({"status": "starting", "reason": reason})),
                },
                "/readyz" => match readiness.obstacle().await {
                    None => answer(StatusCode::OK, &readiness.with_details(json!({"status": "ready"}))),
                    Some(reason) => {
                        unavailable(&readiness.with_details(json!({"status": "not ready", "reason": reason})))
                    }
                },
                "/metrics" => match metrics.page(accepts_openmetrics(request.headers())) {
                    Some(page) => with_type(StatusCode::OK, page.content_type, page.text),
                    None => not_found("Metrics are switched off"),
                },
                _ => not_found("Route not found"),
            }
        }
    })
}

/// Whether the newer form is among those that the asker names; whoever names it knows it.
fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accept
        .flat_map(|accept| accept.split(','))
        .any(|kind| kind.trim_start().starts_with("application/openmetrics-text"))
}

fn unavailable(body: &serde_json::Value) -> HttpResponse {
    answer(StatusCode::SERVICE_UNAVAILABLE, body)
}

fn not_found(message: &str) -> HttpResponse {
    answer(StatusCode::NOT_FOUND, &json!({"code": "not_found", "message": message}))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    with_type(status, "application/json", body.to_string())
}

fn with_type(status: StatusCode, content_type: &'static str, body: String) -> HttpResponse {
    let mut response = http::Response::new(tonic::body::Body::new(http_body_util::Full::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
