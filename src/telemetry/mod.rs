//! Logs to standard error, and traces by OTLP where an endpoint is set.

use std::collections::HashMap;
use std::panic::PanicHookInfo;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

use crate::config::{LogFormat, TelemetryConfig};

/// How long a stop waits for the last traces to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The libraries that carry the traces out; traces of their own work would never end.
const CARRIERS: [&str; 5] = ["h2", "hyper", "opentelemetry", "tonic", "tower"];

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter does not parse.
    #[error("the log filter is not valid")]
    Filter(#[from] ParseError),
    /// The endpoint for traces cannot be used.
    #[error("the endpoint for traces cannot be used")]
    Exporter(#[from] ExporterBuildError),
    /// Something else in the process has set a logger already.
    #[error("the process has a logger already")]
    AlreadySet(#[from] TryInitError),
}

/// Keeps telemetry going; when it is dropped, the last traces are sent.
///
/// To be dropped outside of async code and before the runtime, whose threads do the sending.
#[must_use = "telemetry ends when the guard is dropped"]
#[derive(Debug)]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Starts logging and tracing for the whole process; panics are logged from then on, by their place. With an endpoint for traces it needs the context of a Tokio
/// runtime.
///
/// # Errors
/// When the filter or the endpoint is unusable, or telemetry was started before.
pub fn init(config: &TelemetryConfig) -> Result<Guard, TelemetryError> {
    // W3C trace context in and out, also where this process itself sends no traces.
    global::set_text_map_propagator(TraceContextPropagator::new());
    let traces = config.otlp_endpoint.as_ref().map(|endpoint| provider(endpoint.as_str())).transpose()?;
    if let Some(traces) = &traces {
        global::set_tracer_provider(traces.clone());
    }
    subscriber(config, traces.as_ref(), std::io::stderr)?.try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Guard { traces })
}

/// The trace that the caller is in, as a W3C `traceparent`: what work that is done later continues. `None` where nothing
/// is traced.
#[must_use]
pub fn trace_context() -> Option<String> {
    let context = tracing::Span::current().context();
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove("traceparent")
}

/// Logs where a panic was, in the span of the request that it ends. What it said may hold personal data.
fn log_panic(info: &PanicHookInfo<'_>) {
    let location = info.location().map(|location| format!("{}:{}", location.file(), location.line()));
    tracing::error!(location, "panicked");
}

/// Makes `span` part of the trace that a `traceparent` of [`trace_context`] names.
pub fn continue_trace(span: &tracing::Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&carrier));
    // Where no traces are sent the span has no place for a parent; nothing is lost then.
    let _ = span.set_parent(parent);
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let resource = Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

fn subscriber<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(
    config: &TelemetryConfig,
    traces: Option<&SdkTracerProvider>,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, ParseError> {
    // The migrator tells about every step; the command `migrate` says what was applied.
    let filter = EnvFilter::try_new(format!("sea_orm_migration=warn,{}", config.log))?;
    let log = fmt::layer().with_writer(writer);
    let log = match config.log_format {
        LogFormat::Pretty => log.boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
    };
    // What is traced does not depend on what is logged: a quiet log must not cut traces short.
    let traced = CARRIERS.iter().fold(Targets::new().with_default(LevelFilter::INFO), |targets, carrier| {
        targets.with_target(*carrier, LevelFilter::OFF)
    });
    let spans = traces.map(|traces| {
        let tracer = traces.tracer(env!("CARGO_PKG_NAME"));
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(traced)
    });
    Ok(Registry::default().with(spans).with(log.with_filter(filter)))
}

#[cfg(test)]
mod tests;
