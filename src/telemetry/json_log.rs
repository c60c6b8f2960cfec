//! The log as JSON, one object a line.
//!
//! The formatter of `tracing-subscriber` parses the fields of a span again for each line within it and for each field that
//! is recorded later, which was half of the cost of telemetry. Here they are formatted once, as the JSON of the line.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes fields as the members of an object, without its braces.
#[derive(Debug)]
pub(super) struct JsonFields;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members { writer, is_first: true, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let is_first = current.fields.is_empty();
        let mut members = Members { writer: current.as_writer(), is_first, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }
}

/// Formats an event: its time, level, fields and span.
#[derive(Debug)]
pub(super) struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", metadata.level())?;
        let mut members = Members { writer: writer.by_ref(), is_first: false, result: Ok(()) };
        event.record(&mut members);
        members.result?;
        write!(writer, ",\"target\":\"{}\"", metadata.target())?;
        if let Some(span) = context.lookup_current() {
            write!(writer, ",\"span\":{{\"name\":\"{}\"", span.name())?;
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>().map(|fields| fields.fields.as_str());
            if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
                write!(writer, ",{fields}")?;
            }
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

/// Writes members of an object.
struct Members<'writer> {
    writer: Writer<'writer>,
    is_first: bool,
    result: fmt::Result,
}

impl Members<'_> {
    fn member(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        // These fields are only for the trace exporter.
        if self.result.is_err() || field.name().starts_with("otel.") {
            return;
        }
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        let name = field.name().trim_start_matches("r#");
        self.result = write!(self.writer, "{comma}\"{name}\":").and_then(|()| write(&mut self.writer));
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no NaN and no infinity.
        self.member(
            field,
            |writer| if value.is_finite() { write!(writer, "{value}") } else { writer.write_str("null") },
        );
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |writer| text(writer, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field, |writer| text(writer, &format!("{value:?}")));
    }
}

fn text(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || matches!(c, '"' | '\\')) {
        let (plain, special) = rest.split_at(at);
        writer.write_str(plain)?;
        // All that is looked for is one byte long.
        match special.as_bytes()[0] {
            b'"' => writer.write_str("\\\"")?,
            b'\\' => writer.write_str("\\\\")?,
            b'\n' => writer.write_str("\\n")?,
            control => write!(writer, "\\u{control:04x}")?,
        }
        rest = &special[1..];
    }
    writer.write_str(rest)?;
    writer.write_char('"')
}
