//! What is measured: one set of instruments of OpenTelemetry, shown on the admin port and sent by OTLP where asked for.
//!
//! Names here are OpenTelemetry's; Prometheus sees `_` for `.`, and unit and `_total` behind. No label holds anything of
//! a user or a client: their number would be without bound, and who reads metrics need not know them.

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

/// The histogram whose buckets show traces, as Prometheus names it.
const EXEMPLIFIED: &str = "kira_request_duration_seconds";

/// The instruments of one service; clones are the same ones. Those of `default()` measure nothing.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    meter: Meter,
    instruments: Instruments,
    exemplars: Exemplars,
    shown: Option<Shown>,
}

/// Where the instruments can be read.
struct Shown {
    provider: SdkMeterProvider,
    registry: Registry,
}

/// Whose fault the answer to a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Nobody's.
    Success,
    /// The caller's: what it sent or may not do.
    Refused,
    /// Ours: an error inside, no answer in time, the database away.
    Failed,
    /// Nobody knows: the caller did not wait for the answer.
    Abandoned,
}

impl RequestOutcome {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A request that has been answered.
#[derive(Clone, Debug)]
pub struct AnsweredRequest<'a> {
    /// `rest` or `grpc`.
    pub door: &'static str,
    /// The call, as `UsersService/CreateUser`; empty where there is none.
    pub call: &'static str,
    /// The HTTP status over REST, the name of the gRPC code over gRPC.
    pub code: String,
    /// Whose fault it is.
    pub outcome: RequestOutcome,
    /// From its headers to those of the answer.
    pub took: Duration,
    /// When.
    pub at: DateTime<Utc>,
    /// Its place in a trace.
    pub trace: &'a SpanContext,
}

/// What an idempotency key turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotent {
    /// New.
    Created,
    /// That of an earlier request, which this one repeats.
    Replayed,
    /// That of an earlier request with another body.
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

/// A database's connections at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open and not in use.
    pub idle: u64,
    /// In use.
    pub used: u64,
    /// The most that there may be.
    pub max: u64,
}

/// One page of metrics.
#[derive(Debug)]
pub struct Page {
    /// Its media type.
    pub content_type: &'static str,
    /// Its text.
    pub text: String,
}

/// Counts a request as under way until it is dropped.
#[must_use = "the request is under way for as long as this lives"]
pub struct InFlight {
    metrics: Metrics,
    door: &'static str,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.0.instruments.requests_in_flight.add(-1, &[KeyValue::new("door", self.door)]);
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("shown", &self.0.shown.is_some()).finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::with(NoopMeterProvider::new().meter(env!("CARGO_PKG_NAME")), None)
    }
}

impl Metrics {
    /// The instruments as they are configured. Where metrics are sent it needs the context of a Tokio runtime.
    ///
    /// # Errors
    /// The endpoint that they are sent to cannot be used.
    pub fn new(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        if !config.metrics {
            return Ok(Self::default());
        }
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // There is one scope; its labels would be on every sample.
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
        let metrics = Self::with(provider.meter(env!("CARGO_PKG_NAME")), Some(Shown { provider, registry }));
        metrics.describe_process();
        metrics.begin_at_zero();
        Ok(metrics)
    }

    fn with(meter: Meter, shown: Option<Shown>) -> Self {
        let instruments = Instruments::new(&meter);
        Self(Arc::new(Inner { meter, instruments, exemplars: Exemplars::default(), shown }))
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

    /// Shows what may never happen from the beginning, since Prometheus takes no notice of the first event of a series
    /// that begins with it.
    fn begin_at_zero(&self) {
        let Instruments { ready, rate_limited, shed, idempotent, webhook_attempts, webhook_endpoints_disabled, .. } =
            &self.0.instruments;
        ready.record(0, &[]);
        for door in ["rest", "grpc"] {
            rate_limited.add(0, &[KeyValue::new("door", door)]);
            shed.add(0, &[KeyValue::new("door", door)]);
        }
        for result in [Idempotent::Created, Idempotent::Replayed, Idempotent::Conflict] {
            idempotent.add(0, &[KeyValue::new("result", result.as_str())]);
        }
        for outcome in ["delivered", "failed", "dead_letter", "gone"] {
            webhook_attempts.add(0, &[KeyValue::new("outcome", outcome)]);
        }
        webhook_endpoints_disabled.add(0, &[]);
    }

    /// All that is measured, for Prometheus: OpenMetrics, with exemplars, where `openmetrics` is accepted, else its older
    /// text. `None` where nothing is.
    #[must_use]
    pub fn page(&self, openmetrics: bool) -> Option<Page> {
        let families = self.0.shown.as_ref()?.registry.gather();
        Some(if openmetrics {
            let text = openmetrics::text(&families, EXEMPLIFIED, &self.0.exemplars);
            Page { content_type: openmetrics::CONTENT_TYPE, text }
        } else {
            // Names and labels are ours, and valid.
            let text = TextEncoder::new().encode_to_string(&families).unwrap_or_default();
            Page { content_type: "text/plain; version=0.0.4; charset=utf-8", text }
        })
    }

    /// Sends the last values, where values are sent. It blocks; not for async code.
    pub fn shut_down(&self, timeout: Duration) {
        if let Some(shown) = &self.0.shown
            && let Err(error) = shown.provider.shutdown_with_timeout(timeout)
        {
            tracing::warn!(%error, "the last metrics were not sent");
        }
    }

    /// Whether the process may get traffic.
    pub fn ready(&self, is_ready: bool) {
        self.0.instruments.ready.record(is_ready.into(), &[]);
    }

    /// A request has come.
    pub fn request_begins(&self, door: &'static str) -> InFlight {
        self.0.instruments.requests_in_flight.add(1, &[KeyValue::new("door", door)]);
        InFlight { metrics: self.clone(), door }
    }

    /// A request is answered.
    pub fn request_answered(&self, request: AnsweredRequest<'_>) {
        let AnsweredRequest { door, call, code, outcome, took, at, trace } = request;
        if self.0.shown.is_some() && trace.is_sampled() {
            let labels = [("door", door), ("call", call), ("code", &code), ("outcome", outcome.as_str())];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            let at = Duration::from_micros(u64::try_from(at.timestamp_micros()).unwrap_or_default()).as_secs_f64();
            let exemplar = Exemplar { trace_id: trace.trace_id().to_string(), value: took.as_secs_f64(), at };
            self.0.exemplars.note(labels, &SECONDS, exemplar);
        }
        let labels = [
            KeyValue::new("door", door),
            KeyValue::new("call", call),
            KeyValue::new("code", code),
            KeyValue::new("outcome", outcome.as_str()),
        ];
        self.0.instruments.request_duration.record(took.as_secs_f64(), &labels);
    }

    /// A request was refused because its client makes too many.
    pub fn rate_limited(&self, door: &'static str) {
        self.0.instruments.rate_limited.add(1, &[KeyValue::new("door", door)]);
    }

    /// A request was refused because there are too many.
    pub fn shed(&self, door: &'static str) {
        self.0.instruments.shed.add(1, &[KeyValue::new("door", door)]);
    }

    /// A request with an idempotency key is decided.
    pub fn idempotent(&self, result: Idempotent) {
        self.0.instruments.idempotent.add(1, &[KeyValue::new("result", result.as_str())]);
    }

    /// The database has answered a statement.
    pub fn statement(&self, operation: &'static str, table: &str, took: Duration, failed: bool) {
        let mut labels =
            vec![KeyValue::new("db.operation.name", operation), KeyValue::new("db.collection.name", table.to_owned())];
        if failed {
            labels.push(KeyValue::new("error.type", "failed"));
        }
        self.0.instruments.statement_duration.record(took.as_secs_f64(), &labels);
    }

    /// How much waits in a queue, and how long the oldest has been due.
    pub fn queue(&self, queue: &'static str, depth: u64, oldest_age: Duration) {
        let label = [KeyValue::new("queue", queue)];
        self.0.instruments.queue_depth.record(depth, &label);
        self.0.instruments.queue_oldest_age.record(oldest_age.as_secs_f64(), &label);
    }

    /// A verification has come to something: `outcome` is a status, or why there is none yet. `took` is the time since
    /// it was asked for, where this is the end of it.
    pub fn verification(&self, provider: &'static str, outcome: &'static str, took: Option<Duration>) {
        let provider = KeyValue::new("provider", provider);
        self.0.instruments.verifications.add(1, &[provider.clone(), KeyValue::new("outcome", outcome)]);
        if let Some(took) = took {
            self.0.instruments.verification_duration.record(took.as_secs_f64(), &[provider]);
        }
    }

    /// A webhook was sent: `outcome` is what came of it.
    pub fn webhook_attempt(&self, outcome: &'static str, took: Duration) {
        let label = [KeyValue::new("outcome", outcome)];
        self.0.instruments.webhook_attempts.add(1, &label);
        self.0.instruments.webhook_attempt_duration.record(took.as_secs_f64(), &label);
    }

    /// An endpoint of webhooks was disabled.
    pub fn endpoint_disabled(&self) {
        self.0.instruments.webhook_endpoints_disabled.add(1, &[]);
    }

    /// Shows the connections to the database, read whenever somebody looks.
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

    /// Shows whether the circuit of the provider is open, read whenever somebody looks.
    pub fn watch_circuit(&self, provider: &'static str, is_open: impl Fn() -> bool + Send + Sync + 'static) {
        self.0
            .meter
            .u64_observable_gauge("kira.provider_circuit_open")
            .with_description("Whether verifications wait because the provider fails: 1 or 0")
            .with_callback(move |gauge| gauge.observe(is_open().into(), &[KeyValue::new("provider", provider)]))
            .build();
    }

    /// Shows until when the certificate of a door is good, in seconds since the epoch, read whenever somebody looks.
    pub fn watch_certificate(&self, door: &'static str, not_after: impl Fn() -> Option<i64> + Send + Sync + 'static) {
        self.0
            .meter
            .i64_observable_gauge("kira.tls_certificate_not_after_timestamp")
            .with_description("When the certificate of a door expires")
            .with_unit("s")
            .with_callback(move |gauge| {
                if let Some(not_after) = not_after() {
                    gauge.observe(not_after, &[KeyValue::new("door", door)]);
                }
            })
            .build();
    }
}
