//! The instruments, by OpenTelemetry's names.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

/// Upper bounds of durations, in seconds: from a cached read to the default request timeout.
pub(super) const SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds of the time from the request for a verification to its outcome, in seconds: up to the default deadline.
const LONG_SECONDS: [f64; 12] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0];

/// The instruments that are recorded. Observable ones are registered with their callbacks in [`super::Metrics`].
pub(super) struct Instruments {
    pub(super) ready: Gauge<u64>,
    pub(super) request_duration: Histogram<f64>,
    pub(super) requests_in_flight: UpDownCounter<i64>,
    pub(super) rate_limited: Counter<u64>,
    pub(super) rate_limited_alone: Counter<u64>,
    pub(super) shed: Counter<u64>,
    pub(super) delayed: Counter<u64>,
    pub(super) idempotent: Counter<u64>,
    pub(super) statement_duration: Histogram<f64>,
    pub(super) queue_depth: Gauge<u64>,
    pub(super) queue_oldest_age: Gauge<f64>,
    pub(super) default_partition_rows: Gauge<u64>,
    pub(super) verifications: Counter<u64>,
    pub(super) verification_duration: Histogram<f64>,
    pub(super) webhook_attempts: Counter<u64>,
    pub(super) webhook_attempt_duration: Histogram<f64>,
    pub(super) webhook_endpoints_disabled: Counter<u64>,
    pub(super) webhook_endpoints_failing: Gauge<u64>,
    pub(super) webhook_endpoints_failing_age: Gauge<f64>,
    pub(super) webhook_deliveries_behind_failing: Gauge<u64>,
    pub(super) sink_published: Counter<u64>,
    pub(super) sink_errors: Counter<u64>,
    pub(super) sink_lag: Gauge<u64>,
    pub(super) sink_lag_age: Gauge<f64>,
    pub(super) sink_dead_letters: Gauge<u64>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, description: &'static str, bounds: &[f64]| {
            let histogram = meter.f64_histogram(name).with_description(description).with_unit("s");
            histogram.with_boundaries(bounds.to_vec()).build()
        };
        let count = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        Self {
            ready: meter
                .u64_gauge("kira.ready")
                .with_description("Whether the process may get traffic: 1 or 0, as /readyz says")
                .build(),
            request_duration: seconds(
                "kira.request.duration",
                "Time from the headers of a request to those of its response",
                &SECONDS,
            ),
            requests_in_flight: meter
                .i64_up_down_counter("kira.requests_in_flight")
                .with_description("Requests in flight")
                .build(),
            rate_limited: count("kira.rate_limited", "Requests rejected by the rate limit of their client"),
            rate_limited_alone: count(
                "kira.rate_limit_fallbacks",
                "Requests counted by this replica alone because the shared rate limit does not answer",
            ),
            shed: count("kira.requests_shed", "Requests shed because a concurrency limit was reached"),
            delayed: count(
                "kira.requests_delayed",
                "Responses without valid credentials that were delayed because there are too many",
            ),
            idempotent: count("kira.idempotent_requests", "Requests with an idempotency key, by result"),
            statement_duration: seconds(
                "db.client.operation.duration",
                "Duration of a database statement, without the wait for a connection",
                &SECONDS,
            ),
            queue_depth: meter
                .u64_gauge("kira.queue.depth")
                .with_description("Items that are due in a queue; counted up to a hundred thousand")
                .build(),
            queue_oldest_age: meter
                .f64_gauge("kira.queue.oldest_age")
                .with_description("How long the oldest item of a queue has been due")
                .with_unit("s")
                .build(),
            default_partition_rows: meter
                .u64_gauge("kira.default_partition.rows")
                .with_description("Rows that no partition of their time has taken; counted up to ten thousand")
                .build(),
            verifications: count("kira.verifications", "Verification attempts of the worker, by outcome"),
            verification_duration: seconds(
                "kira.verification.duration",
                "Time from the request for a verification to its outcome",
                &LONG_SECONDS,
            ),
            webhook_attempts: count("kira.webhook_attempts", "Webhook delivery attempts, by outcome"),
            webhook_attempt_duration: seconds(
                "kira.webhook_attempt.duration",
                "Time from the start of an attempt to the headers of the endpoint's response",
                &SECONDS,
            ),
            webhook_endpoints_disabled: count(
                "kira.webhook_endpoints_disabled",
                "Endpoints disabled after repeated failures or status 410",
            ),
            webhook_endpoints_failing: meter
                .u64_gauge("kira.webhook_endpoints.failing")
                .with_description("Endpoints whose attempts have all failed since the last success; not those disabled")
                .build(),
            webhook_endpoints_failing_age: meter
                .f64_gauge("kira.webhook_endpoints.failing_age")
                .with_description("How long the longest failing endpoint has failed")
                .with_unit("s")
                .build(),
            webhook_deliveries_behind_failing: meter
                .u64_gauge("kira.webhook_deliveries.behind_failing")
                .with_description("Deliveries that wait for endpoints that fail; counted up to ten thousand")
                .build(),
            sink_published: count("kira.sink.published", "Events that a broker has confirmed"),
            sink_errors: count("kira.sink.errors", "Rounds of a relay to a broker that failed"),
            sink_lag: meter
                .u64_gauge("kira.sink.lag")
                .with_description("Events that a broker has not confirmed yet")
                .build(),
            sink_lag_age: meter
                .f64_gauge("kira.sink.lag_age")
                .with_description("How long ago the first of those happened")
                .with_unit("s")
                .build(),
            sink_dead_letters: meter
                .u64_gauge("kira.sink.dead_letters")
                .with_description("Events that a broker refused for good")
                .build(),
        }
    }
}
