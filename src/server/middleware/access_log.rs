//! The access log: one line a request.

use std::time::Instant;

use kira_gateway::error::ErrorReason;
use tracing::Span;

use super::response_summary::{ResponseSummary, code_name};
use crate::server::admission::LogSampling;
use crate::telemetry;
use crate::telemetry::metrics::RequestOutcome;

/// Failed requests without valid credentials that are logged one by one, per second and listener. Any caller can cause
/// them; the metrics count all of them.
const UNAUTHENTICATED_LOGGED: u32 = 20;

/// The access log of one listener.
pub(super) struct AccessLog {
    protocol: &'static str,
    unauthenticated: LogSampling,
}

impl AccessLog {
    pub(super) const fn new(protocol: &'static str) -> Self {
        Self { protocol, unauthenticated: LogSampling::new(UNAUTHENTICATED_LOGGED) }
    }

    /// Logs a request within its span. `size` is the announced size of its body in bytes.
    pub(super) fn log(
        &self,
        summary: &ResponseSummary,
        is_authenticated: bool,
        span: &Span,
        method: &'static str,
        size: Option<u64>,
    ) {
        if is_authenticated || summary.outcome() == RequestOutcome::Success || self.samples_unauthenticated() {
            write_line(summary, span, method, size);
        }
    }

    fn samples_unauthenticated(&self) -> bool {
        let sampled = self.unauthenticated.sample(Instant::now());
        if let Some(requests) = sampled.left_out {
            let protocol = self.protocol;
            tracing::warn!(protocol, requests, "failed requests without valid credentials left out of the access log");
        }
        sampled.write
    }
}

fn write_line(summary: &ResponseSummary, span: &Span, method: &'static str, size: Option<u64>) {
    let _entered = span.enter();
    let duration_us = u64::try_from(summary.duration.as_micros()).unwrap_or(u64::MAX);
    let (status, reason) = (summary.status.as_u16(), summary.reason.map(ErrorReason::machine_code));
    let (grpc, replayed) = (summary.grpc_code.map(code_name), summary.is_replayed.then_some(true));
    // Over gRPC every request is a POST.
    let (method, route) = (summary.call.route.map(|_| method), summary.call.route);
    let message = if summary.is_abandoned { "client disconnected" } else { "request completed" };
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: telemetry::ACCESS,
                call = summary.call_name(),
                method,
                route,
                status,
                grpc,
                reason,
                replayed,
                bytes = size,
                duration_us,
                "{message}"
            )
        };
    }
    if summary.outcome() == RequestOutcome::ServerError { line!(warn) } else { line!(info) }
}
