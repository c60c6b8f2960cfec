//! The metrics of a request.

use kira_gateway::error::ErrorReason;
use opentelemetry::trace::SpanContext;

use super::response_summary::ResponseSummary;
use crate::env::SharedEnv;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{CompletedRequest, Idempotent, RequestOutcome};

/// Records a completed request.
pub(super) fn record(
    metrics: &Metrics,
    env: &SharedEnv,
    protocol: &'static str,
    summary: &ResponseSummary,
    trace: &SpanContext,
) {
    metrics.request_completed(CompletedRequest {
        protocol,
        call: summary.call_name(),
        code: summary.code().to_owned(),
        outcome: summary.outcome(),
        duration: summary.duration,
        at: env.now(),
        trace,
    });
    match summary.reason {
        Some(ErrorReason::RateLimitExceeded) => metrics.rate_limited(protocol),
        Some(ErrorReason::IdempotencyKeyReused) => metrics.idempotent(Idempotent::Conflict),
        _ => {}
    }
    // Calls that take an idempotency key answer a replay with another status.
    let takes_key = summary.call.method.is_some_and(|method| method.replay_code != method.success_code);
    if takes_key && summary.outcome() == RequestOutcome::Success {
        metrics.idempotent(if summary.is_replayed { Idempotent::Replayed } else { Idempotent::Created });
    }
}
