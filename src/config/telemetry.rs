//! `[telemetry]`: logs and traces.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::reader::Reader;
use super::value::{OrOff, Value};

/// Logs and traces.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// What is logged, in the language of `tracing_subscriber::EnvFilter`; it parses.
    pub log: String,
    /// How it is written.
    pub log_format: LogFormat,
    /// Where traces go by OTLP over gRPC.
    pub otlp_endpoint: Option<Url>,
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
        let otlp_endpoint = reader.required::<OrOff<Url>>("telemetry.otlp_endpoint").0;
        if otlp_endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() != "http") {
            // The exporter is built without TLS: a collector belongs beside the service.
            reader.refuse("telemetry.otlp_endpoint", "must be http: traces go to a collector in the same network");
        }
        Self {
            log,
            log_format: reader.optional("telemetry.log_format").unwrap_or_else(LogFormat::of_stderr),
            otlp_endpoint,
        }
    }
}

impl LogFormat {
    fn of_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Pretty } else { Self::Json }
    }
}
