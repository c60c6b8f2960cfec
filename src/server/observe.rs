//! The outermost layer: a request's id, its span, its line in the log, its metrics, and what becomes of a panic.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use tonic::Code;
use tracing::{Instrument, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::door::{Call, Door};
use super::layer::{HttpService, Wrap, pass};
use super::limits::content_length;
use super::shed::Unobserved;
use super::{HttpRequest, HttpResponse, Shared, streamed};
use crate::ambient::SharedAmbient;
use crate::telemetry::metrics::{AnsweredRequest, Idempotent, RequestOutcome};
use crate::telemetry::{self, Metrics};

pub(super) const REQUEST_ID: &str = "x-request-id";
/// Marks an answer that repeats an earlier one (decisions, section 7).
const REPLAYED: &str = "idempotent-replayed";

#[derive(Clone)]
pub(super) struct Observe {
    ambient: SharedAmbient,
    metrics: Metrics,
    door: &'static str,
    is_grpc: bool,
    trusts_traces: bool,
}

impl Observe {
    pub(super) fn new<D: Door>(shared: &Shared) -> Self {
        let is_grpc = D::NAME == "grpc";
        Self {
            ambient: Arc::clone(&shared.ambient),
            metrics: shared.metrics.clone(),
            door: D::NAME,
            is_grpc,
            // Whoever reaches the other door is within the cluster.
            trusts_traces: is_grpc || shared.trust_rest_traces,
        }
    }

    fn panicked(&self) -> HttpResponse {
        let status = error::because(ErrorReason::InternalError);
        if self.is_grpc { status.into_http() } else { error::rest_response(&status) }
    }
}

impl Wrap for Observe {
    async fn wrap<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        let _in_flight = self.metrics.request_begins(self.door);
        let id = request_id(request.headers(), &self.ambient);
        request.headers_mut().insert(REQUEST_ID, id.clone());
        let span = tracing::info_span!(
            "request",
            otel.kind = "server",
            door = self.door,
            request_id = id.to_str().unwrap_or_default(),
            trace_id = field::Empty,
            client_id = field::Empty,
            user_id = field::Empty,
        );
        let trace = telemetry::join(&span, request.headers(), self.trusts_traces);
        if trace.is_valid() {
            span.record("trace_id", field::display(trace.trace_id()));
        }
        let call = Arc::new(OnceLock::new());
        request.extensions_mut().insert(Called(Arc::clone(&call)));
        let watched = Watched {
            observe: self,
            call,
            method: known(request.method()),
            size: content_length(request.headers()),
            started: Instant::now(),
            span: span.clone(),
            trace,
            is_over: false,
        };
        let answered = AssertUnwindSafe(pass(request, next).instrument(span)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|_| self.panicked());
        response.headers_mut().insert(REQUEST_ID, id);
        watched.answered(response)
    }
}

/// Where the inner layers note which call a request makes; an extension of the request.
#[derive(Clone, Debug)]
pub(super) struct Called(Arc<OnceLock<Call>>);

impl Called {
    pub(super) fn note(&self, call: Call) {
        // A request makes one call.
        let _ = self.0.set(call);
    }
}

/// A request that is being answered. One whose caller does not wait for the answer is told of when this is dropped.
struct Watched<'a> {
    observe: &'a Observe,
    call: Arc<OnceLock<Call>>,
    method: &'static str,
    size: Option<u64>,
    started: Instant,
    span: Span,
    trace: SpanContext,
    is_over: bool,
}

impl Watched<'_> {
    fn answered(mut self, response: HttpResponse) -> HttpResponse {
        self.is_over = true;
        if response.extensions().get::<Unobserved>().is_some() {
            return response;
        }
        let answer = Answer::of(&response, self.call(), self.observe.is_grpc, self.started.elapsed());
        self.tell(&answer);
        let streams = answer.call.method.is_some_and(|method| method.server_streaming);
        if streams && answer.outcome() == RequestOutcome::Success {
            return streamed::told(response, answer.name(), self.span.clone());
        }
        response
    }

    fn call(&self) -> Call {
        self.call.get().copied().unwrap_or_default()
    }

    fn tell(&self, answer: &Answer) {
        answer.log(&self.span, self.method, self.size);
        answer.trace(&self.span, self.method);
        self.observe.measure(answer, &self.trace);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell(&Answer::abandoned(self.call(), self.observe.is_grpc, self.started.elapsed()));
        }
    }
}

impl Observe {
    fn measure(&self, answer: &Answer, trace: &SpanContext) {
        self.metrics.request_answered(AnsweredRequest {
            door: self.door,
            call: answer.name(),
            code: answer.code().to_owned(),
            outcome: answer.outcome(),
            took: answer.took,
            at: self.ambient.now(),
            trace,
        });
        match answer.reason {
            Some(ErrorReason::RateLimitExceeded) => self.metrics.rate_limited(self.door),
            Some(ErrorReason::IdempotencyKeyReused) => self.metrics.idempotent(Idempotent::Conflict),
            _ => {}
        }
        // Calls that take an idempotency key answer a repetition with another status.
        let takes_key = answer.call.method.is_some_and(|method| method.replay_code != method.success_code);
        if takes_key && answer.outcome() == RequestOutcome::Success {
            let result = if answer.replayed { Idempotent::Replayed } else { Idempotent::Created };
            self.metrics.idempotent(result);
        }
    }
}

/// What there is to tell of an answer.
struct Answer {
    /// Whether its caller gave up before.
    abandoned: bool,
    call: Call,
    status: StatusCode,
    /// Over gRPC.
    grpc_code: Option<Code>,
    reason: Option<ErrorReason>,
    replayed: bool,
    took: Duration,
}

impl Answer {
    fn of(response: &HttpResponse, call: Call, is_grpc: bool, took: Duration) -> Self {
        let (headers, extensions) = (response.headers(), response.extensions());
        // Of a gRPC call that fails at once the code is among the headers; of one that succeeds, behind the body.
        let failure = if is_grpc { tonic::Status::from_header_map(headers) } else { None };
        let reason = failure.as_ref().and_then(error::details).map(|details| details.reason);
        Self {
            abandoned: false,
            call,
            status: response.status(),
            grpc_code: is_grpc.then(|| failure.map_or(Code::Ok, |failure| failure.code())),
            reason: reason.or_else(|| extensions.get::<ErrorReason>().copied()),
            replayed: headers.contains_key(REPLAYED),
            took,
        }
    }

    /// The answer that nobody waited for, with the status that proxies give it.
    fn abandoned(call: Call, is_grpc: bool, took: Duration) -> Self {
        Self {
            abandoned: true,
            call,
            status: StatusCode::from_u16(499).unwrap_or_default(),
            grpc_code: is_grpc.then_some(Code::Cancelled),
            reason: None,
            replayed: false,
            took,
        }
    }

    /// The call, as `UsersService/CreateUser`.
    fn name(&self) -> &'static str {
        let path = self.call.method.map_or("other", |method| method.grpc_path);
        path.rsplit_once('.').map_or(path, |(_, name)| name)
    }

    fn code(&self) -> &str {
        match self.grpc_code {
            Some(code) => code_name(code),
            None => self.status.as_str(),
        }
    }

    fn outcome(&self) -> RequestOutcome {
        let ours = match self.grpc_code {
            Some(Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::Unavailable | Code::DataLoss) => true,
            Some(_) => false,
            None => self.status.is_server_error() && self.status != StatusCode::NOT_IMPLEMENTED,
        };
        match self.grpc_code {
            _ if self.abandoned => RequestOutcome::Abandoned,
            // The caller was too slow to send its request.
            _ if self.reason == Some(ErrorReason::RequestTimeout) => RequestOutcome::Refused,
            _ if ours => RequestOutcome::Failed,
            Some(Code::Ok) => RequestOutcome::Success,
            None if !self.status.is_client_error() && self.reason.is_none() => RequestOutcome::Success,
            _ => RequestOutcome::Refused,
        }
    }

    /// The request's one line.
    fn log(&self, span: &Span, method: &'static str, size: Option<u64>) {
        let _entered = span.enter();
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        let (status, reason) = (self.status.as_u16(), self.reason.map(ErrorReason::machine_code));
        let (grpc, replayed) = (self.grpc_code.map(code_name), self.replayed.then_some(true));
        // Over gRPC every request is a POST.
        let (method, route) = (self.call.route.map(|_| method), self.call.route);
        let what = if self.abandoned { "abandoned" } else { "answered" };
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: telemetry::ACCESS,
                    call = self.name(),
                    method,
                    route,
                    status,
                    grpc,
                    reason,
                    replayed,
                    bytes = size,
                    micros,
                    "{what}"
                )
            };
        }
        if self.outcome() == RequestOutcome::Failed { line!(warn) } else { line!(info) }
    }

    /// The span's name and attributes, as the semantic conventions of HTTP and RPC have them. Paths and queries are not
    /// among them: they may hold anything.
    fn trace(&self, span: &Span, method: &'static str) {
        let context = span.context();
        let span = context.span();
        if !span.is_recording() {
            return;
        }
        let attribute = |key: &'static str, value: opentelemetry::Value| {
            span.set_attribute(opentelemetry::KeyValue::new(key, value));
        };
        match self.grpc_code {
            Some(code) => {
                let path = self.call.method.map_or("other", |method| method.grpc_path.trim_start_matches('/'));
                span.update_name(path);
                attribute("rpc.system.name", "grpc".into());
                attribute("rpc.method", path.into());
                attribute("rpc.response.status_code", code_name(code).into());
            }
            None => {
                let route = self.call.route.unwrap_or_default();
                span.update_name(format!("{method} {route}").trim_end().to_owned());
                attribute("http.request.method", method.into());
                if !route.is_empty() {
                    attribute("http.route", route.into());
                }
                attribute("http.response.status_code", i64::from(self.status.as_u16()).into());
            }
        }
        if let Some(reason) = self.reason {
            attribute("error.type", reason.machine_code().into());
        }
        if self.outcome() == RequestOutcome::Failed {
            span.set_status(Status::error(""));
        }
    }
}

/// A method as the semantic conventions have it: of one that is not known the text is the caller's, and may be anything.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// A gRPC code as the field writes it.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The caller's id for the request if it is sane (decisions, section 1), else a new one.
pub(super) fn request_id(headers: &HeaderMap, ambient: &SharedAmbient) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        (1..=128).contains(&id.len()) && id.as_bytes().iter().all(plain)
    };
    headers
        .get(REQUEST_ID)
        .filter(sane)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&ambient.new_id().to_string()).expect("a UUID is a header value"))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::super::listener::service_fn;
    use super::*;
    use crate::ambient::System;
    use crate::config::{LogFormat, TelemetryConfig};

    #[tokio::test]
    async fn a_request_whose_caller_does_not_wait_is_measured_as_abandoned() {
        let log = "off".to_owned();
        let config = TelemetryConfig { log, log_format: LogFormat::Json, metrics: true, trust_rest: true, otlp: None };
        let metrics = Metrics::new(&config).expect("they are shown here alone");
        let ambient: SharedAmbient = Arc::new(System::default());
        let observe = Observe { ambient, metrics: metrics.clone(), door: "rest", is_grpc: false, trusts_traces: true };
        let request = HttpRequest::new(tonic::body::Body::empty());
        let answer = observe.wrap(request, service_fn(|_| pending()));
        assert!(answer.now_or_never().is_none(), "it takes for ever, and is dropped here");
        let page = metrics.page(false).expect("there are metrics").text;
        let told = "call=\"other\",code=\"499\",door=\"rest\",outcome=\"abandoned\"} 1";
        assert!(page.contains(&format!("kira_request_duration_seconds_count{{{told}")), "{page}");
        assert!(page.contains("kira_requests_in_flight{door=\"rest\"} 0"), "{page}");
    }
}
