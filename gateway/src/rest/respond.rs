//! From a service's answer to an HTTP response.

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use tonic::body::Body;

use super::headers;
use crate::json::{ToJson, Writer};
use crate::late::{Unrecognized, Warnings};
use crate::method::Method;
use crate::problem::Problem;

/// What RFC 3986 does not reserve.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Serialize)]
struct Warning<'a> {
    path: String,
    message: &'a str,
    code: &'a str,
}

/// The JSON of a list of messages.
pub fn json_list<T: ToJson>(messages: &[T]) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(messages);
    out.into_bytes()
}

/// Appends a segment to a path; none where it is empty.
pub fn push_segment(path: &mut String, segment: &str) -> Option<()> {
    path.push('/');
    path.extend(utf8_percent_encode(segment, &SEGMENT));
    (!segment.is_empty()).then_some(())
}

/// The response to a call with one answer.
pub(super) fn unary<R>(
    method: &Method,
    write: fn(&R) -> Vec<u8>,
    location: fn(&R) -> Option<String>,
    answer: tonic::Response<R>,
    unknown: &[Problem],
) -> Response<Body> {
    let (metadata, message, mut extensions) = answer.into_parts();
    let late = extensions.remove::<Unrecognized>().unwrap_or_default().0;
    let unknown = if late.is_empty() { unknown } else { &late };
    let warnings = extensions.remove::<Warnings>().unwrap_or_default().0;
    let (mut headers, replayed) = headers::outgoing(metadata);
    let body = with_warnings(write(&message), unknown.iter().chain(&warnings));
    let (status, location) =
        if replayed { (method.replay_code, None) } else { (method.success_code, location(&message)) };
    common(method, &mut headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let body = if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_TYPE);
        Body::empty()
    } else {
        super::full_body(body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    response
}

/// The headers of every success.
pub(super) fn common(method: &Method, headers: &mut http::HeaderMap) {
    crate::error::secure(headers);
    let cache = match method.max_age.map(|seconds| HeaderValue::try_from(format!("public, max-age={seconds}"))) {
        Some(Ok(cache)) => cache,
        _ => HeaderValue::from_static("no-store"),
    };
    headers.insert(header::CACHE_CONTROL, cache);
}

/// Appends the warnings to the response, where it is an object.
fn with_warnings<'a>(mut body: Vec<u8>, warnings: impl Iterator<Item = &'a Problem>) -> Vec<u8> {
    let mut warnings = warnings.peekable();
    if warnings.peek().is_none() || body.first() != Some(&b'{') || body.pop() != Some(b'}') {
        return body;
    }
    if body.len() > 1 {
        body.push(b',');
    }
    let warnings: Vec<_> = warnings
        .map(|problem| Warning { path: problem.path.to_string(), message: &problem.message, code: &problem.code })
        .collect();
    body.extend_from_slice(b"\"warnings\":");
    // Texts only: there is nothing that serde_json cannot write.
    body.extend(serde_json::to_vec(&warnings).unwrap_or_else(|_| b"[]".to_vec()));
    body.push(b'}');
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Path;

    fn warned(body: &str, keys: &[&'static str]) -> String {
        let problem = |key: &&'static str| Problem {
            path: Path::key(0, *key),
            code: "unrecognized_keys".into(),
            message: "Unknown".into(),
        };
        let unknown: Vec<_> = keys.iter().map(problem).collect();
        String::from_utf8(with_warnings(body.into(), unknown.iter())).expect("UTF-8")
    }

    #[test]
    fn warnings_are_the_last_key_of_an_object() {
        let warning = r#""warnings":[{"path":"x","message":"Unknown","code":"unrecognized_keys"}]"#;
        assert_eq!(warned(r#"{"a":1}"#, &["x"]), format!(r#"{{"a":1,{warning}}}"#));
        assert_eq!(warned("{}", &["x"]), format!("{{{warning}}}"));
    }

    #[test]
    fn nothing_is_added_without_warnings_or_to_what_is_no_object() {
        assert_eq!(warned(r#"{"a":1}"#, &[]), r#"{"a":1}"#);
        assert_eq!(warned("[1]", &["x"]), "[1]");
        assert_eq!(warned("null", &["x"]), "null");
        assert_eq!(warned("", &["x"]), "");
    }

    #[test]
    fn a_segment_of_a_location_is_escaped() {
        let mut path = "/v1".to_owned();
        assert_eq!(push_segment(&mut path, "a/b c"), Some(()));
        assert_eq!(path, "/v1/a%2Fb%20c");
        assert_eq!(push_segment(&mut path, ""), None);
    }
}
