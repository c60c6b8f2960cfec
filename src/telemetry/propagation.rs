//! Traces across processes and across time: W3C trace context in headers, and in the rows of work that is done later.

use std::collections::HashMap;

use chrono::TimeDelta;
use http::HeaderMap;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry::{Context, global};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// For how long a trace is continued. Collectors that keep or drop traces as a whole wait for no longer.
const TRACE_LIVES: TimeDelta = TimeDelta::minutes(5);

/// The trace that the caller is in, as a W3C `traceparent`: what work that is done later continues. `None` where nothing
/// is traced.
#[must_use]
pub fn trace_context() -> Option<String> {
    let context = Span::current().context();
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove("traceparent")
}

/// Tells whoever gets `headers` of the trace that the caller is in.
pub fn inject(headers: &mut HeaderMap) {
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut HeaderInjector(headers)));
}

/// Makes `span` part of the trace that `headers` tell of, and gives what is known of it then: its own place in the
/// trace, or where this process traces nothing, the caller's. Of a caller who is not `trusted` the trace is only linked to:
/// continuing it would let the caller decide what is kept.
pub fn join(span: &Span, headers: &HeaderMap, trusted: bool) -> SpanContext {
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&HeaderExtractor(headers)));
    let of_caller = parent.span().span_context().clone();
    if trusted {
        // Where no traces are sent the span has no place for a parent; nothing is lost then.
        let _ = span.set_parent(parent);
    } else if of_caller.is_valid() {
        span.add_link(of_caller.clone());
    }
    let own = span.context().span().span_context().clone();
    if own.is_valid() { own } else { of_caller }
}

/// Makes `span` part of the trace that a `traceparent` of [`trace_context`] names, `age` ago. A trace that old is over: what
/// comes later begins one of its own, with a link to the first.
pub fn continue_trace(span: &Span, traceparent: Option<&str>, age: TimeDelta) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent =
        global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &carrier));
    if age > TRACE_LIVES {
        span.add_link(parent.span().span_context().clone());
    } else {
        // Where no traces are sent the span has no place for a parent; nothing is lost then.
        let _ = span.set_parent(parent);
    }
}
