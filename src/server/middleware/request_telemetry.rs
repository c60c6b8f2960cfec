//! Gives each request its id, span, metrics and line in the access log, and turns a panic into an error response.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use opentelemetry::trace::SpanContext;
use tracing::{Instrument as _, Span, field};

use super::access_log::AccessLog;
use super::limits::content_length;
use super::request_id::{REQUEST_ID, request_id};
use super::response_summary::ResponseSummary;
use super::{HttpService, Middleware, request_metrics, request_span, run};
use crate::env::SharedEnv;
use crate::server::Shared;
use crate::server::admission::RequestPermits;
use crate::server::body::log_on_end::log_on_end;
use crate::server::context::{OverGrpcWeb, RequestContext, Shed};
use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::protocol::{Call, Protocol};
use crate::telemetry::metrics::RequestOutcome;
use crate::telemetry::{self, Metrics};

#[derive(Clone)]
pub(in crate::server) struct RequestTelemetry<P> {
    protocol: P,
    env: SharedEnv,
    metrics: Metrics,
    trusts_traces: bool,
    trusts_traces_of_browsers: bool,
    access_log: Arc<AccessLog>,
}

impl<P: Protocol> RequestTelemetry<P> {
    pub(in crate::server) fn new(protocol: P, shared: &Shared) -> Self {
        Self {
            protocol,
            env: Arc::clone(&shared.env),
            metrics: shared.metrics.clone(),
            trusts_traces: P::IS_INTERNAL || shared.trust_rest_traces,
            trusts_traces_of_browsers: shared.trust_rest_traces,
            access_log: Arc::new(AccessLog::new(P::NAME)),
        }
    }
}

impl<P: Protocol> Middleware for RequestTelemetry<P> {
    async fn handle<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        let _in_flight = self.metrics.request_started(P::NAME);
        let id = request_id(request.headers(), &self.env);
        request.headers_mut().insert(REQUEST_ID, id.clone());
        let span = request_span::new(P::NAME, id.to_str().unwrap_or_default());
        let trusted = match request.extensions().get::<OverGrpcWeb>() {
            Some(OverGrpcWeb) => self.trusts_traces_of_browsers,
            None => self.trusts_traces,
        };
        let trace = telemetry::join(&span, request.headers(), trusted);
        if trace.is_valid() {
            span.record("trace_id", field::display(trace.trace_id()));
        }
        let context = RequestContext::default();
        request.extensions_mut().insert(context.clone());
        let guard = RequestGuard {
            telemetry: self,
            context,
            method: request_span::method_name(request.method()),
            size: content_length(request.headers()),
            started: Instant::now(),
            span: span.clone(),
            trace,
            permits: request.extensions().get::<RequestPermits>().cloned(),
            is_complete: false,
        };
        let result = AssertUnwindSafe(run(request, next).instrument(span)).catch_unwind().await;
        let mut response =
            result.unwrap_or_else(|_| self.protocol.error_response(error::with_reason(ErrorReason::InternalError)));
        response.headers_mut().insert(REQUEST_ID, id);
        guard.complete(response)
    }
}

/// A request in flight. When it is dropped before it is complete, the client has disconnected, which is reported.
struct RequestGuard<'a, P: Protocol> {
    telemetry: &'a RequestTelemetry<P>,
    context: RequestContext,
    method: &'static str,
    size: Option<u64>,
    started: Instant,
    span: Span,
    trace: SpanContext,
    permits: Option<RequestPermits>,
    is_complete: bool,
}

impl<P: Protocol> RequestGuard<'_, P> {
    fn complete(mut self, mut response: HttpResponse) -> HttpResponse {
        self.is_complete = true;
        if let Some(permits) = self.permits.as_ref().filter(|permits| permits.is_shed()) {
            permits.record_shed(P::NAME, &self.telemetry.metrics);
            response.extensions_mut().insert(Shed);
        }
        if response.extensions().get::<Shed>().is_some() {
            return response;
        }
        let summary = ResponseSummary::of::<P>(&response, self.call(), self.started.elapsed());
        self.report(&summary);
        let is_stream = summary.call.method.is_some_and(|method| method.server_streaming);
        if is_stream && summary.outcome() == RequestOutcome::Success {
            return log_on_end(response, summary.call_name(), self.span.clone());
        }
        response
    }

    fn call(&self) -> Call {
        self.context.call().unwrap_or_default()
    }

    fn report(&self, summary: &ResponseSummary) {
        let RequestTelemetry { env, metrics, access_log, .. } = self.telemetry;
        let is_authenticated = self.permits.as_ref().is_some_and(RequestPermits::is_of_client);
        access_log.log(summary, is_authenticated, &self.span, self.method, self.size);
        request_span::complete(&self.span, summary, self.method);
        request_metrics::record(metrics, env, P::NAME, summary, &self.trace);
    }
}

impl<P: Protocol> Drop for RequestGuard<'_, P> {
    fn drop(&mut self) {
        if !self.is_complete {
            self.report(&ResponseSummary::abandoned::<P>(self.call(), self.started.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use kira_gateway::rest::Gateway;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::{LogFormat, TelemetryConfig};
    use crate::env::SystemEnv;
    use crate::server::RestProtocol;
    use crate::server::listener::service_fn;

    #[tokio::test]
    async fn a_request_whose_client_disconnects_is_measured_as_abandoned() {
        let log = "off".to_owned();
        let config = TelemetryConfig { log, log_format: LogFormat::Json, metrics: true, trust_rest: true, otlp: None };
        let metrics = Metrics::new(&config).expect("they are shown here alone");
        let gateway = Gateway::builder().build().expect("a gateway without routes");
        let telemetry = RequestTelemetry {
            protocol: RestProtocol::new(gateway, None, CancellationToken::new()),
            env: Arc::new(SystemEnv::default()),
            metrics: metrics.clone(),
            trusts_traces: true,
            trusts_traces_of_browsers: true,
            access_log: Arc::new(AccessLog::new("rest")),
        };
        let request = HttpRequest::new(tonic::body::Body::empty());
        let response = telemetry.handle(request, service_fn(|_| pending()));
        assert!(response.now_or_never().is_none(), "it takes for ever, and is dropped here");
        let page = metrics.page(false).expect("there are metrics").text;
        let labels = "call=\"other\",code=\"499\",outcome=\"abandoned\",protocol=\"rest\"} 1";
        assert!(page.contains(&format!("kira_request_duration_seconds_count{{{labels}")), "{page}");
        assert!(page.contains("kira_requests_in_flight{protocol=\"rest\"} 0"), "{page}");
    }
}
