//! Which web pages may call the REST door from a browser: preflights are answered before anybody asks for credentials,
//! which they never carry.

use std::time::Duration;

use http::Method;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, LOCATION, ORIGIN, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::CorsOrigins;

const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What the API reads of a request.
const REQUEST_HEADERS: [HeaderName; 10] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IF_MATCH,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// What an answer says beyond its body.
const ANSWER_HEADERS: [HeaderName; 8] = [
    LOCATION,
    ETAG,
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
];

/// How long a browser may remember a preflight's answer. Browsers cut it to what they bear, which is rarely more.
const MAX_AGE: Duration = Duration::from_secs(7_200);

/// The layer for these origins; `None` where no answer is to say anything of the kind.
///
/// Credentials of the browser's own, such as cookies, are never asked for: the API knows none.
#[must_use]
pub fn cors(origins: &CorsOrigins) -> Option<CorsLayer> {
    let layer = match origins {
        CorsOrigins::Off => return None,
        CorsOrigins::Any => CorsLayer::new().allow_origin(AllowOrigin::any()).vary([]),
        // An origin is a scheme, a host and a port in ASCII, hence a header value. Nothing but the origin decides what is
        // said.
        CorsOrigins::List(origins) => {
            let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
            CorsLayer::new().allow_origin(AllowOrigin::list(origins)).vary([ORIGIN])
        }
    };
    let layer =
        layer.allow_methods(METHODS).allow_headers(REQUEST_HEADERS).expose_headers(ANSWER_HEADERS).max_age(MAX_AGE);
    Some(layer)
}
