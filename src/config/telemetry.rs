//! `[telemetry]`: logs, traces and metrics.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::reader::Reader;
use super::value::{OrOff, Value};

/// Logs, traces and metrics.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// What is logged, in the language of `tracing_subscriber::EnvFilter`; it parses.
    pub log: String,
    /// How it is written.
    pub log_format: LogFormat,
    /// Whether anything is measured: shown at `/metrics`, and sent by OTLP where that is asked for.
    pub metrics: bool,
    /// Whether a REST caller's trace is continued, and its decision to sample with it; else it is only linked to.
    pub trust_rest: bool,
    /// Where traces, and metrics if asked for, are sent.
    pub otlp: Option<OtlpConfig>,
}

/// Sending by OTLP.
#[derive(Debug, Clone)]
pub struct OtlpConfig {
    /// The collector.
    pub endpoint: Url,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// Whether metrics are sent too, not only shown at `/metrics`.
    pub metrics: bool,
    /// Which part of the traces is kept, from 0 to 1, where the caller has not decided.
    pub sample_ratio: f64,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// gRPC, as a rule at port 4317.
    Grpc,
    /// Protobuf over HTTP, as a rule at port 4318.
    Http,
}

impl Value for OtlpProtocol {
    const ACCEPTED: &'static str = "grpc or http";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "grpc" => Ok(Self::Grpc),
            "http" => Ok(Self::Http),
            _ => Err("is neither".to_owned()),
        }
    }
}

impl Value for f64 {
    const ACCEPTED: &'static str = "a number";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "is not a number".to_owned())
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

impl Value for LogFormat {
    const ACCEPTED: &'static str = "pretty or json";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err("is neither".to_owned()),
        }
    }
}

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let log: String = reader.required("telemetry.log");
        if let Err(error) = EnvFilter::try_new(&log) {
            let accepted = "accepted: error, warn, info, debug, trace, off, or target=level parts with commas between";
            reader.refuse("telemetry.log", format!("{log:?} is not a log filter ({error}); {accepted}"));
        }
        let otlp = OtlpConfig::read(reader);
        Self {
            log,
            log_format: reader.optional("telemetry.log_format").unwrap_or_else(LogFormat::of_stderr),
            metrics: reader.required("telemetry.metrics"),
            trust_rest: reader.required("telemetry.trace_trust_rest"),
            otlp,
        }
    }
}

impl OtlpConfig {
    /// Its problems are reported even where no traces are exported.
    fn read(reader: &mut Reader) -> Option<Self> {
        let endpoint = reader.required::<OrOff<Url>>("telemetry.otlp_endpoint").0;
        let protocol = reader.required("telemetry.otlp_protocol");
        let metrics = reader.required("telemetry.otlp_metrics");
        let sample_ratio = reader.bounded("telemetry.trace_sample_ratio", 0.0, 1.0);
        Some(Self { endpoint: endpoint?, protocol, metrics, sample_ratio })
    }
}

impl LogFormat {
    fn of_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Pretty } else { Self::Json }
    }
}
