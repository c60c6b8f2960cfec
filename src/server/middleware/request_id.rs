//! The id of a request, which its response, its log lines and its span have.

use http::{HeaderMap, HeaderValue};

use crate::env::SharedEnv;

pub(in crate::server) const REQUEST_ID: &str = "x-request-id";

/// The client's id for the request if it is safe to log (docs/decisions.md, section 1), else a new one.
pub(in crate::server) fn request_id(headers: &HeaderMap, env: &SharedEnv) -> HeaderValue {
    let is_safe = |id: &&HeaderValue| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=128).contains(&id.len()) && id.as_bytes().iter().all(plain)
    };
    headers
        .get(REQUEST_ID)
        .filter(is_safe)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&env.new_id().to_string()).expect("a UUID is a header value"))
}
