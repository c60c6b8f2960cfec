//! Which headers pass: what is not listed stays outside.

use http::header::{HeaderMap, HeaderName};
use tonic::metadata::MetadataMap;

/// Of a request, to the service.
const IN: [&str; 11] = [
    "accept-language",
    "authorization",
    "baggage",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "prefer",
    "traceparent",
    "tracestate",
    "x-api-key",
    "x-request-id",
];

/// Of an answer, to the caller.
const OUT: [&str; 4] = ["etag", "idempotent-replayed", "retry-after", "x-request-id"];

/// Metadata of an answer that repeats an earlier one.
const REPLAYED: &str = "idempotent-replayed";

/// The metadata of a request; `own` are the headers that are fields of it.
pub(super) fn incoming(headers: &HeaderMap, own: &[&'static str]) -> MetadataMap {
    let mut found = listed(headers, &IN, |_| true);
    found.extend(listed(headers, own, |name| !IN.contains(&name)));
    MetadataMap::from_headers(found)
}

/// The headers of an answer, and whether it repeats an earlier one.
pub(super) fn outgoing(metadata: MetadataMap) -> (HeaderMap, bool) {
    let headers = metadata.into_headers();
    let replayed = headers.get(REPLAYED).is_some_and(|value| value == "true");
    (listed(&headers, &OUT, |name| name != REPLAYED || replayed), replayed)
}

fn listed(headers: &HeaderMap, list: &[&'static str], keep: impl Fn(&str) -> bool) -> HeaderMap {
    let mut found = HeaderMap::new();
    for name in list.iter().filter(|name| keep(name)) {
        for value in headers.get_all(*name) {
            found.append(HeaderName::from_static(name), value.clone());
        }
    }
    found
}

/// Whether the caller prefers a refusal to a guess (RFC 7240).
pub(super) fn prefers_strict(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| {
        let token = preference.split(';').next().unwrap_or_default();
        let (name, value) = token.split_once('=').unwrap_or((token, ""));
        name.trim().eq_ignore_ascii_case("handling") && value.trim().trim_matches('"').eq_ignore_ascii_case("strict")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), http::HeaderValue::from_static(value))
        };
        list.iter().map(pair).collect()
    }

    #[test]
    fn only_listed_headers_reach_the_service() {
        let found = incoming(
            &headers(&[("x-api-key", "k"), ("connection", "close"), ("cookie", "c"), ("te", "trailers")]),
            &[],
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found.get("x-api-key").expect("a key"), "k");
    }

    #[test]
    fn a_header_given_twice_reaches_the_service_twice() {
        let mut twice = headers(&[("idempotency-key", "a")]);
        twice.append("idempotency-key", http::HeaderValue::from_static("b"));
        assert_eq!(incoming(&twice, &["idempotency-key"]).get_all("idempotency-key").iter().count(), 2);
    }

    #[test]
    fn a_header_that_is_a_field_reaches_the_service() {
        let found = incoming(&headers(&[("x-card", "1"), ("x-other", "2")]), &["x-card"]);
        assert_eq!((found.len(), found.get("x-card").is_some()), (1, true));
    }

    #[test]
    fn only_a_replay_says_so() {
        let out = |value| outgoing(MetadataMap::from_headers(headers(&[(REPLAYED, value), ("secret", "x")])));
        assert_eq!(out("true"), (headers(&[(REPLAYED, "true")]), true));
        assert_eq!(out("false"), (HeaderMap::new(), false));
    }

    #[test]
    fn strict_handling_is_one_preference_of_many() {
        for (value, expected) in [
            ("handling=strict", true),
            ("respond-async, handling=strict; x=1", true),
            ("Handling = \"Strict\"", true),
            ("handling=lenient", false),
            ("return=minimal", false),
        ] {
            assert_eq!(prefers_strict(&headers(&[("prefer", value)])), expected, "{value}");
        }
    }
}
