//! CORS: which web pages may call the REST API, and the gRPC API by gRPC-Web, from a browser. Preflights carry no credentials,
//! so they are answered before authentication.

use std::time::Duration;

use http::Method;
use http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, IF_MATCH, IF_NONE_MATCH, IF_RANGE, LINK, LOCATION, ORIGIN, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::CorsOrigins;

const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The request headers that the API reads.
const REQUEST_HEADERS: [HeaderName; 17] = [
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_RANGE,
    RANGE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    // gRPC-Web: the deadline, and what its clients always send.
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
];

/// The response headers that pages may read.
const RESPONSE_HEADERS: [HeaderName; 15] = [
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_RANGE,
    LOCATION,
    LINK,
    ETAG,
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    // gRPC-Web: the error of a call that sends nothing.
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// How long a browser may cache a preflight. Most browsers cap it at this or less.
const MAX_AGE: Duration = Duration::from_secs(7_200);

/// The layer for these origins; `None` where CORS is off. It never allows credentials of the browser, such as cookies:
/// the API uses none.
#[must_use]
pub fn cors(origins: &CorsOrigins) -> Option<CorsLayer> {
    let layer = match origins {
        CorsOrigins::Off => return None,
        CorsOrigins::Any => CorsLayer::new().allow_origin(AllowOrigin::any()).vary([]),
        // An origin is ASCII, hence a header value. The response depends on nothing but the origin.
        CorsOrigins::List(origins) => {
            let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
            CorsLayer::new().allow_origin(AllowOrigin::list(origins)).vary([ORIGIN])
        }
    };
    let layer =
        layer.allow_methods(METHODS).allow_headers(REQUEST_HEADERS).expose_headers(RESPONSE_HEADERS).max_age(MAX_AGE);
    Some(layer)
}
