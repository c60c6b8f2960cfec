//! The instruments, by OpenTelemetry's names.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

/// Upper bounds of durations, in seconds: from a read out of memory to the longest that a request may take by default.
pub(super) const SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds of the time from the wish for a verification to its outcome, in seconds: up to the usual deadline.
const LONG_SECONDS: [f64; 12] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0];

/// What is measured of one service. Those that are read only when somebody looks are made where they are known.
pub(super) struct Instruments {
    pub(super) ready: Gauge<u64>,
    pub(super) request_duration: Histogram<f64>,
    pub(super) requests_in_flight: UpDownCounter<i64>,
    pub(super) rate_limited: Counter<u64>,
    pub(super) shed: Counter<u64>,
    pub(super) idempotent: Counter<u64>,
    pub(super) statement_duration: Histogram<f64>,
    pub(super) queue_depth: Gauge<u64>,
    pub(super) queue_oldest_age: Gauge<f64>,
    pub(super) verifications: Counter<u64>,
    pub(super) verification_duration: Histogram<f64>,
    pub(super) webhook_attempts: Counter<u64>,
    pub(super) webhook_attempt_duration: Histogram<f64>,
    pub(super) webhook_endpoints_disabled: Counter<u64>,
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
                "Time from the headers of a request to those of its answer",
                &SECONDS,
            ),
            requests_in_flight: meter
                .i64_up_down_counter("kira.requests_in_flight")
                .with_description("Requests that are being answered")
                .build(),
            rate_limited: count("kira.rate_limited", "Requests refused because their client makes too many"),
            shed: count("kira.requests_shed", "Requests refused because there are too many"),
            idempotent: count("kira.idempotent_requests", "Requests with an idempotency key, by what came of it"),
            statement_duration: seconds(
                "db.client.operation.duration",
                "Time that the database takes for a statement, once a connection is had",
                &SECONDS,
            ),
            queue_depth: meter
                .u64_gauge("kira.queue.depth")
                .with_description("What is due and waits in a queue; counted up to a hundred thousand")
                .build(),
            queue_oldest_age: meter
                .f64_gauge("kira.queue.oldest_age")
                .with_description("For how long the oldest in a queue has been due")
                .with_unit("s")
                .build(),
            verifications: count("kira.verifications", "Attempts of the worker to verify, by what came of them"),
            verification_duration: seconds(
                "kira.verification.duration",
                "Time from the wish for a verification to its outcome",
                &LONG_SECONDS,
            ),
            webhook_attempts: count("kira.webhook_attempts", "Attempts to deliver a webhook, by what came of them"),
            webhook_attempt_duration: seconds(
                "kira.webhook_attempt.duration",
                "Time from the beginning of an attempt to the headers of the endpoint's answer",
                &SECONDS,
            ),
            webhook_endpoints_disabled: count(
                "kira.webhook_endpoints_disabled",
                "Endpoints disabled because they only fail, or say that they are gone",
            ),
        }
    }
}
