//! W3C trace context: in headers across processes, and in rows for work that is done later.

use std::collections::HashMap;

use chrono::TimeDelta;
use http::HeaderMap;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry::{Context, global};
use opentelemetry_http::HeaderInjector;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// How long a trace is continued. Tail-sampling collectors do not wait longer.
const MAX_TRACE_AGE: TimeDelta = TimeDelta::minutes(5);

/// The current trace as a W3C `traceparent`, for work that is done later. `None` if nothing is traced.
#[must_use]
pub fn trace_context() -> Option<String> {
    let context = Span::current().context();
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove("traceparent")
}

/// Adds the current trace to `headers`.
pub fn inject(headers: &mut HeaderMap) {
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut HeaderInjector(headers)));
}

/// Continues the trace of `headers` in `span`. Returns the context of the span, or the caller's if this process traces
/// nothing. The trace of a caller that is not `trusted` is only linked: continuing it would let the caller decide about
/// sampling.
pub fn join(span: &Span, headers: &HeaderMap, trusted: bool) -> SpanContext {
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&Narrow(headers)));
    let of_caller = parent.span().span_context().clone();
    if trusted {
        // Fails only if no traces are exported.
        let _ = span.set_parent(parent);
    } else if of_caller.is_valid() {
        span.add_link(of_caller.clone());
    }
    let own = span.context().span().span_context().clone();
    if own.is_valid() { own } else { of_caller }
}

/// Continues in `span` the trace of a `traceparent` from [`trace_context`], which is `age` old. An old trace is complete:
/// then the span starts a new one, with a link to it.
pub fn continue_trace(span: &Span, traceparent: Option<&str>, age: TimeDelta) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent =
        global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &carrier));
    if age > MAX_TRACE_AGE {
        span.add_link(parent.span().span_context().clone());
    } else {
        // Fails only if no traces are exported.
        let _ = span.set_parent(parent);
    }
}

/// The longest `tracestate` that is propagated: the minimum of W3C trace context.
const MAX_TRACESTATE: usize = 512;

/// The headers of a trace, without a `tracestate` of arbitrary content, which would be exported as it is.
struct Narrow<'a>(&'a HeaderMap);

impl Extractor for Narrow<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (key != "tracestate" || is_plain_tracestate(value)).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Whether it is a list of keys and values of letters, digits and the punctuation of tracing systems.
fn is_plain_tracestate(value: &str) -> bool {
    let plain = |part: &str, marks: &[u8]| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte)) && !part.is_empty()
    };
    let member = |member: &str| {
        let member = member.trim_matches([' ', '\t']);
        member.split_once('=').is_some_and(|(key, value)| plain(key, b"_-*/@") && plain(value, b"_-.:;~/+*"))
    };
    value.len() <= MAX_TRACESTATE && value.split(',').all(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracestate_of_the_systems_there_are_is_kept_and_one_with_odd_content_is_dropped() {
        let kept = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("tracestate", http::HeaderValue::from_str(value).expect("a header"));
            Narrow(&headers).get("tracestate").is_some()
        };
        assert!(kept("dd=s:2;o:rum;t.dm:-4,33@nr=0-0-33-27-2827902-3563-1417, es=s:1"));
        let long = format!("a={}", "b".repeat(MAX_TRACESTATE));
        for odd in ["name=Jane Doe", "a=jane@example.com", "a=<script>", "a", "=b", "a=", long.as_str()] {
            assert!(!kept(odd), "{odd}");
        }
    }
}
