//! Logs to standard error, metrics, and traces by OTLP where an endpoint is set.

mod export;
mod json_log;
pub mod metrics;
mod propagation;

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, ParseError, Targets, dynamic_filter_fn, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

use self::json_log::{JsonFields, JsonLine};
pub use self::metrics::Metrics;
pub use self::propagation::{continue_trace, inject, join, trace_context};
use crate::config::{LogFormat, OtlpConfig, TelemetryConfig};

/// How long a stop waits for the last traces to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The libraries that export the traces; tracing their work would never end.
const EXPORT_LIBRARIES: [&str; 6] = ["h2", "hyper", "opentelemetry", "reqwest", "tonic", "tower"];

/// The target of the access log, so that it can be switched off by itself.
pub const ACCESS: &str = concat!(env!("CARGO_CRATE_NAME"), "::access");

/// The target prefix of the spans of database statements.
const STORE: &str = concat!(env!("CARGO_CRATE_NAME"), "::store");

/// Panics of this process.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter does not parse.
    #[error("the log filter is not valid")]
    Filter(#[from] ParseError),
    /// The endpoint for traces and metrics cannot be used.
    #[error("the endpoint for traces and metrics cannot be used")]
    Exporter(#[from] ExporterBuildError),
    /// The client for that endpoint cannot be made.
    #[error("the client for the endpoint of traces and metrics cannot be made")]
    Client(#[from] reqwest::Error),
    /// The metrics cannot be shown.
    #[error("the metrics cannot be shown")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process has a logger already.
    #[error("the process has a logger already")]
    AlreadySet(#[from] TryInitError),
}

/// Keeps telemetry running; dropping it sends the last traces.
///
/// Drop it outside of async code and before the runtime, whose threads send them.
#[must_use = "telemetry ends when the guard is dropped"]
#[derive(Debug)]
pub struct TelemetryGuard {
    traces: Option<SdkTracerProvider>,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        let Some(traces) = self.traces.take() else { return };
        // The SDK does not keep its own timeout when the collector does not answer.
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || drop(sender.send(traces.shutdown_with_timeout(FLUSH_TIMEOUT))));
        match ended.recv_timeout(FLUSH_TIMEOUT) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not sent"),
            Err(_) => tracing::warn!("the last traces were not sent in time"),
        }
    }
}

/// Starts logging and tracing for the whole process, and logs panics by their location. With an OTLP endpoint it needs the
/// context of a Tokio runtime.
///
/// # Errors
/// When the filter or the endpoint is unusable, or telemetry was started before.
pub fn init(config: &TelemetryConfig) -> Result<TelemetryGuard, TelemetryError> {
    // W3C trace context in and out, also where this process itself sends no traces.
    global::set_text_map_propagator(TraceContextPropagator::new());
    let traces = config.otlp.as_ref().map(provider).transpose()?;
    if let Some(traces) = &traces {
        global::set_tracer_provider(traces.clone());
    }
    subscriber(config, traces.as_ref(), std::io::stderr)?.try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(TelemetryGuard { traces })
}

/// Logs the location of a panic, in the span of its request. Its message may hold personal data.
fn log_panic(info: &PanicHookInfo<'_>) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let location = info.location().map(|location| format!("{}:{}", location.file(), location.line()));
    tracing::error!(location, "panicked");
}

/// The number of panics in this process.
#[must_use]
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

fn provider(otlp: &OtlpConfig) -> Result<SdkTracerProvider, TelemetryError> {
    // The sampling decision of the caller counts; without one, this ratio of traces is sampled.
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sample_ratio)));
    Ok(SdkTracerProvider::builder()
        .with_resource(export::resource())
        .with_sampler(sampler)
        .with_batch_exporter(export::spans(otlp)?)
        .build())
}

fn subscriber<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(
    config: &TelemetryConfig,
    traces: Option<&SdkTracerProvider>,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, ParseError> {
    // The migrator logs every step and the SDK its start; the command `migrate` prints what was applied.
    let filter = EnvFilter::try_new(format!("sea_orm_migration=warn,opentelemetry=warn,{}", config.log))?;
    // A log line shows the span of its request or job, not of the database statement.
    let filter = filter.and(filter_fn(|metadata| !is_span_of_store(metadata)));
    let log = fmt::layer().with_writer(writer);
    let log = match config.log_format {
        LogFormat::Pretty => log.boxed(),
        LogFormat::Json => log.fmt_fields(JsonFields).event_format(JsonLine).boxed(),
    };
    // Traces do not depend on the log filter. The access log repeats the span, so it is not an event of it.
    let untraced = EXPORT_LIBRARIES.into_iter().chain([ACCESS]).map(|target| (target, LevelFilter::OFF));
    let traced = Targets::new().with_default(LevelFilter::INFO).with_targets(untraced);
    let spans = traces.map(|traces| {
        let tracer = traces.tracer(env!("CARGO_PKG_NAME"));
        // An idle worker asks the database four times a second; each would be a trace of its own.
        let within =
            dynamic_filter_fn(|metadata, context| !is_span_of_store(metadata) || context.lookup_current().is_some());
        // Threads and source locations are in the log.
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_threads(false)
            .with_location(false)
            .with_target(false);
        layer.with_tracked_inactivity(false).with_filter(traced.and(within))
    });
    Ok(Registry::default().with(spans).with(log.with_filter(filter)))
}

fn is_span_of_store(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(STORE)
}

#[cfg(test)]
mod tests;
