//! The metrics: one set of OpenTelemetry instruments, served on the admin listener and sent by OTLP if configured.
//!
//! Names are OpenTelemetry's; Prometheus sees `_` for `.`, and the unit or `_total` as a suffix. No label has data of a
//! user or a client: its cardinality would be unlimited, and readers of metrics need not know it.

mod exemplars;
mod instruments;
mod openmetrics;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use opentelemetry::KeyValue;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TextEncoder};

use self::exemplars::{Exemplar, Exemplars};
use self::instruments::{Instruments, SECONDS};
use super::{TelemetryError, export, panics};
use crate::config::TelemetryConfig;

/// The histogram with exemplars, by its Prometheus name.
const WITH_EXEMPLARS: &str = "kira_request_duration_seconds";

/// The instruments of one process; clones share them. Those of `default()` record nothing.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    meter: Meter,
    instruments: Instruments,
    exemplars: Exemplars,
    exported: Option<Exported>,
}

/// The export of the instruments.
struct Exported {
    provider: SdkMeterProvider,
    registry: Registry,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// No error.
    Success,
    /// An error of the client: a bad request, or one that it has no permission for.
    ClientError,
    /// An error of the service: an internal error, a timeout, a database that cannot be reached.
    ServerError,
    /// Unknown: the client disconnected before the response.
    Abandoned,
}

impl RequestOutcome {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A request that is complete.
#[derive(Clone, Debug)]
pub struct CompletedRequest<'a> {
    /// `rest` or `grpc`.
    pub protocol: &'static str,
    /// The call, as `UsersService/CreateUser`; empty where there is none.
    pub call: &'static str,
    /// The HTTP status over REST, the name of the gRPC code over gRPC.
    pub code: String,
    /// The outcome.
    pub outcome: RequestOutcome,
    /// From the headers of the request to those of the response.
    pub duration: Duration,
    /// When it completed.
    pub at: DateTime<Utc>,
    /// Its place in a trace.
    pub trace: &'a SpanContext,
}

/// The result of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotent {
    /// New.
    Created,
    /// The key of an earlier request, which this one replays.
    Replayed,
    /// The key of an earlier request with another body.
    Conflict,
}

impl Idempotent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Replayed => "replayed",
            Self::Conflict => "conflict",
        }
    }
}

/// The connections of a database pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open and not in use.
    pub idle: u64,
    /// In use.
    pub used: u64,
    /// The limit.
    pub max: u64,
}

/// The response of `/metrics`.
#[derive(Debug)]
pub struct Page {
    /// Its media type.
    pub content_type: &'static str,
    /// Its text.
    pub text: String,
}

/// Counts a request as in flight until it is dropped.
#[must_use = "the request is in flight while this lives"]
pub struct RequestInFlight {
    metrics: Metrics,
    protocol: &'static str,
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.metrics.0.instruments.requests_in_flight.add(-1, &[KeyValue::new("protocol", self.protocol)]);
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("exported", &self.0.exported.is_some()).finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::with(NoopMeterProvider::new().meter(env!("CARGO_PKG_NAME")), None)
    }
}

impl Metrics {
    /// The configured instruments. With OTLP it needs the context of a Tokio runtime.
    ///
    /// # Errors
    /// The OTLP endpoint cannot be used.
    pub fn new(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        if !config.metrics {
            return Ok(Self::default());
        }
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // There is only one scope; its labels would be on every sample.
            .scope_info_enabled(false)
            .build()
            .map_err(|error| TelemetryError::Metrics(error.into()))?;
        let mut provider = SdkMeterProvider::builder().with_resource(export::resource()).with_reader(reader);
        if let Some(otlp) = config.otlp.as_ref().filter(|otlp| otlp.metrics) {
            provider = provider.with_reader(PeriodicReader::builder(export::metrics(otlp)?).build());
        }
        registry
            .register(Box::new(ProcessCollector::for_self()))
            .map_err(|error| TelemetryError::Metrics(error.into()))?;
        let provider = provider.build();
        let metrics = Self::with(provider.meter(env!("CARGO_PKG_NAME")), Some(Exported { provider, registry }));
        metrics.describe_process();
        metrics.start_at_zero();
        Ok(metrics)
    }

    fn with(meter: Meter, exported: Option<Exported>) -> Self {
        let instruments = Instruments::new(&meter);
        Self(Arc::new(Inner { meter, instruments, exemplars: Exemplars::default(), exported }))
    }

    fn describe_process(&self) {
        let meter = &self.0.meter;
        meter
            .u64_observable_gauge("kira.build_info")
            .with_description("Which version runs")
            .with_callback(|gauge| gauge.observe(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]))
            .build();
        meter
            .u64_observable_counter("kira.panics")
            .with_description("Panics, each of which is in the log with its place")
            .with_callback(|counter| counter.observe(panics(), &[]))
            .build();
    }

    /// Starts the series of rare events at zero: Prometheus does not count the event that a series starts with.
    fn start_at_zero(&self) {
        let Instruments {
            ready,
            rate_limited,
            rate_limited_alone,
            shed,
            delayed,
            idempotent,
            webhook_attempts,
            webhook_endpoints_disabled,
            ..
        } = &self.0.instruments;
        ready.record(0, &[]);
        rate_limited_alone.add(0, &[]);
        for protocol in ["rest", "grpc"] {
            rate_limited.add(0, &[KeyValue::new("protocol", protocol)]);
            shed.add(0, &[KeyValue::new("protocol", protocol)]);
            delayed.add(0, &[KeyValue::new("protocol", protocol)]);
        }
        for result in [Idempotent::Created, Idempotent::Replayed, Idempotent::Conflict] {
            idempotent.add(0, &[KeyValue::new("result", result.as_str())]);
        }
        for outcome in ["delivered", "failed", "dead_letter", "gone"] {
            webhook_attempts.add(0, &[KeyValue::new("outcome", outcome)]);
        }
        webhook_endpoints_disabled.add(0, &[]);
    }

    /// All metrics for Prometheus: OpenMetrics with exemplars if `openmetrics` is accepted, else the older text format.
    /// `None` if metrics are off.
    #[must_use]
    pub fn page(&self, openmetrics: bool) -> Option<Page> {
        let families = self.0.exported.as_ref()?.registry.gather();
        Some(if openmetrics {
            let text = openmetrics::text(&families, WITH_EXEMPLARS, &self.0.exemplars);
            Page { content_type: openmetrics::CONTENT_TYPE, text }
        } else {
            // All names and labels are valid.
            let text = TextEncoder::new().encode_to_string(&families).unwrap_or_default();
            Page { content_type: "text/plain; version=0.0.4; charset=utf-8", text }
        })
    }

    /// Sends the last values by OTLP, if configured. Blocks; not for async code.
    pub fn shut_down(&self, timeout: Duration) {
        if let Some(exported) = &self.0.exported
            && let Err(error) = exported.provider.shutdown_with_timeout(timeout)
        {
            tracing::warn!(%error, "the last metrics were not sent");
        }
    }

    /// Records whether the process may get traffic.
    pub fn ready(&self, is_ready: bool) {
        self.0.instruments.ready.record(is_ready.into(), &[]);
    }

    /// Records the start of a request.
    pub fn request_started(&self, protocol: &'static str) -> RequestInFlight {
        self.0.instruments.requests_in_flight.add(1, &[KeyValue::new("protocol", protocol)]);
        RequestInFlight { metrics: self.clone(), protocol }
    }

    /// Records a completed request.
    pub fn request_completed(&self, request: CompletedRequest<'_>) {
        let CompletedRequest { protocol, call, code, outcome, duration, at, trace } = request;
        if self.0.exported.is_some() && trace.is_sampled() {
            let labels = [("protocol", protocol), ("call", call), ("code", &code), ("outcome", outcome.as_str())];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            let at = Duration::from_micros(u64::try_from(at.timestamp_micros()).unwrap_or_default()).as_secs_f64();
            let exemplar = Exemplar { trace_id: trace.trace_id().to_string(), value: duration.as_secs_f64(), at };
            self.0.exemplars.record(labels, &SECONDS, exemplar);
        }
        let labels = [
            KeyValue::new("protocol", protocol),
            KeyValue::new("call", call),
            KeyValue::new("code", code),
            KeyValue::new("outcome", outcome.as_str()),
        ];
        self.0.instruments.request_duration.record(duration.as_secs_f64(), &labels);
    }

    /// Counts a request that was rejected by the rate limit.
    pub fn rate_limited(&self, protocol: &'static str) {
        self.0.instruments.rate_limited.add(1, &[KeyValue::new("protocol", protocol)]);
    }

    /// Counts a request that this replica counted alone, because the shared rate limit did not answer.
    pub fn rate_limited_alone(&self) {
        self.0.instruments.rate_limited_alone.add(1, &[]);
    }

    /// Counts a request that was shed.
    pub fn shed(&self, protocol: &'static str) {
        self.0.instruments.shed.add(1, &[KeyValue::new("protocol", protocol)]);
    }

    /// Counts a delayed response to a caller without valid credentials.
    pub fn delayed(&self, protocol: &'static str) {
        self.0.instruments.delayed.add(1, &[KeyValue::new("protocol", protocol)]);
    }

    /// Counts a request with an idempotency key.
    pub fn idempotent(&self, result: Idempotent) {
        self.0.instruments.idempotent.add(1, &[KeyValue::new("result", result.as_str())]);
    }

    /// Records a statement of the database.
    pub fn statement(&self, operation: &'static str, table: &str, duration: Duration, failed: bool) {
        let mut labels =
            vec![KeyValue::new("db.operation.name", operation), KeyValue::new("db.collection.name", table.to_owned())];
        if failed {
            labels.push(KeyValue::new("error.type", "failed"));
        }
        self.0.instruments.statement_duration.record(duration.as_secs_f64(), &labels);
    }

    /// Records the number of failing webhook endpoints, the longest failure, and the deliveries that wait for them.
    pub fn failing_endpoints(&self, count: u64, longest: Duration, waiting: u64) {
        let instruments = &self.0.instruments;
        instruments.webhook_endpoints_failing.record(count, &[]);
        instruments.webhook_endpoints_failing_age.record(longest.as_secs_f64(), &[]);
        instruments.webhook_deliveries_behind_failing.record(waiting, &[]);
    }

    /// Records how many rows of a table are in its default partition.
    pub fn default_partition(&self, table: &'static str, rows: u64) {
        self.0.instruments.default_partition_rows.record(rows, &[KeyValue::new("table", table)]);
    }

    /// Records the depth of a queue, and how long its oldest item has been due.
    pub fn queue(&self, queue: &'static str, depth: u64, oldest_age: Duration) {
        let label = [KeyValue::new("queue", queue)];
        self.0.instruments.queue_depth.record(depth, &label);
        self.0.instruments.queue_oldest_age.record(oldest_age.as_secs_f64(), &label);
    }

    /// Records an attempt of the worker: `outcome` is a status, or why there is none yet. `duration` is the time since the
    /// request for the verification, if it is complete.
    pub fn verification(&self, provider: &'static str, outcome: &'static str, duration: Option<Duration>) {
        let provider = KeyValue::new("provider", provider);
        self.0.instruments.verifications.add(1, &[provider.clone(), KeyValue::new("outcome", outcome)]);
        if let Some(duration) = duration {
            self.0.instruments.verification_duration.record(duration.as_secs_f64(), &[provider]);
        }
    }

    /// Records an attempt to deliver a webhook.
    pub fn webhook_attempt(&self, outcome: &'static str, duration: Duration) {
        let label = [KeyValue::new("outcome", outcome)];
        self.0.instruments.webhook_attempts.add(1, &label);
        self.0.instruments.webhook_attempt_duration.record(duration.as_secs_f64(), &label);
    }

    /// Counts a webhook endpoint that was disabled.
    pub fn endpoint_disabled(&self) {
        self.0.instruments.webhook_endpoints_disabled.add(1, &[]);
    }

    /// Counts events that the broker of a sink has confirmed.
    pub fn sink_published(&self, sink: &'static str, count: u64) {
        self.0.instruments.sink_published.add(count, &[KeyValue::new("sink", sink)]);
    }

    /// Counts a round of a relay that failed.
    pub fn sink_error(&self, sink: &'static str) {
        self.0.instruments.sink_errors.add(1, &[KeyValue::new("sink", sink)]);
    }

    /// Records how many events a sink is behind, since when, and how many its broker refused for good.
    pub fn sink_lag(&self, sink: &str, lag: u64, age: Duration, dead_letters: u64) {
        let label = [KeyValue::new("sink", sink.to_owned())];
        self.0.instruments.sink_lag.record(lag, &label);
        self.0.instruments.sink_lag_age.record(age.as_secs_f64(), &label);
        self.0.instruments.sink_dead_letters.record(dead_letters, &label);
    }

    /// Observes the connections of the database pool at each collection.
    pub fn watch_connections(&self, counts: impl Fn() -> ConnectionCounts + Clone + Send + Sync + 'static) {
        let (of_state, of_max) = (counts.clone(), counts);
        self.0
            .meter
            .u64_observable_gauge("kira.database_connections")
            .with_description("Open connections to the database, by state")
            .with_callback(move |gauge| {
                let ConnectionCounts { idle, used, .. } = of_state();
                gauge.observe(idle, &[KeyValue::new("state", "idle")]);
                gauge.observe(used, &[KeyValue::new("state", "used")]);
            })
            .build();
        self.0
            .meter
            .u64_observable_gauge("kira.database_connections_max")
            .with_description("The most connections to the database that there may be")
            .with_callback(move |gauge| gauge.observe(of_max().max, &[]))
            .build();
    }

    /// Observes at each collection whether the circuit of the provider is open.
    pub fn watch_circuit(&self, provider: &'static str, is_open: impl Fn() -> bool + Send + Sync + 'static) {
        self.0
            .meter
            .u64_observable_gauge("kira.provider_circuit_open")
            .with_description("Whether verifications wait because the provider fails: 1 or 0")
            .with_callback(move |gauge| gauge.observe(is_open().into(), &[KeyValue::new("provider", provider)]))
            .build();
    }

    /// Observes at each collection when the certificate of a listener expires, in seconds since the epoch.
    pub fn watch_certificate(
        &self,
        protocol: &'static str,
        not_after: impl Fn() -> Option<i64> + Send + Sync + 'static,
    ) {
        self.0
            .meter
            .i64_observable_gauge("kira.tls_certificate_not_after_timestamp")
            .with_description("When the certificate of a listener expires")
            .with_unit("s")
            .with_callback(move |gauge| {
                if let Some(not_after) = not_after() {
                    gauge.observe(not_after, &[KeyValue::new("protocol", protocol)]);
                }
            })
            .build();
    }
}
