//! Conditional reads (RFC 9110, section 13.1.2): a caller that has the answer already is told so, and gets no body.

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use tonic::body::Body;

/// The `If-None-Match` of a request that reads.
#[derive(Debug)]
pub(super) struct IfNoneMatch(Vec<HeaderValue>);

impl IfNoneMatch {
    /// None where the request changes something, or has no such header.
    pub(super) fn of(head: &Parts) -> Option<Self> {
        let reads = head.method == Method::GET || head.method == Method::HEAD;
        let values: Vec<_> = head.headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect();
        (reads && !values.is_empty()).then_some(Self(values))
    }

    /// The response, or 304 in its place where the caller has one with the same entity tag.
    pub(super) fn apply(&self, response: Response<Body>) -> Response<Body> {
        let is_known = match response.headers().get(header::ETAG) {
            Some(tag) if [StatusCode::OK, StatusCode::PARTIAL_CONTENT].contains(&response.status()) => {
                names(&self.0, tag)
            }
            _ => false,
        };
        if is_known { not_modified(response) } else { response }
    }
}

/// Whether the values of `If-None-Match` name an entity tag, by the weak comparison that RFC 9110 has for them.
pub fn names<'a>(values: impl IntoIterator<Item = &'a HeaderValue>, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    let mut texts = values.into_iter().filter_map(|value| value.to_str().ok());
    texts.any(|text| text.trim() == "*" || tags(text).any(|known| opaque(known) == opaque(tag)))
}

/// What the weak comparison compares: the tag without its mark of weakness. Compression by a proxy makes a tag weak.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The entity tags of a list. A comma may be within the quotes of a tag; what is no tag is passed over.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return None;
            }
            let start = if rest.starts_with("W/\"") { 3 } else { 1 };
            if !rest.starts_with('"') && start == 1 {
                rest = rest.split_once(',').map_or("", |(_, rest)| rest);
                continue;
            }
            let end = start + rest[start..].find('"')? + 1;
            let (tag, after) = rest.split_at(end);
            rest = after;
            return Some(tag);
        }
    })
}

/// The headers of the response that a cache needs, without its body.
fn not_modified(response: Response<Body>) -> Response<Body> {
    let (mut head, _) = response.into_parts();
    head.status = StatusCode::NOT_MODIFIED;
    let about_the_body: [header::HeaderName; 5] = [
        header::CONTENT_DISPOSITION,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::LOCATION,
    ];
    let headers: &mut HeaderMap = &mut head.headers;
    about_the_body.iter().for_each(|name| drop(headers.remove(name)));
    Response::from_parts(head, Body::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, condition: &[&'static str], tag: Option<&'static str>, answer: StatusCode) -> StatusCode {
        let mut request = http::Request::new(());
        *request.method_mut() = method;
        for value in condition {
            request.headers_mut().append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        let (head, ()) = request.into_parts();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer;
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, HeaderValue::from_static(tag));
        }
        IfNoneMatch::of(&head).map_or(answer, |condition| condition.apply(response).status())
    }

    #[test]
    fn a_tag_is_compared_weakly() {
        for (condition, known) in [
            (&["\"7\""][..], true),
            (&["W/\"7\""], true),
            (&["\"6\", W/\"7\""], true),
            (&["\"6\"", "\"7\""], true),
            (&["\"a,b\",\"7\""], true),
            (&["nonsense, \"7\""], true),
            (&["*"], true),
            (&["\"6\""], false),
            (&["7"], false),
            (&["\"7"], false),
            (&["w/\"7\""], false),
            (&["\"a,\"7\""], false),
            (&[""], false),
        ] {
            let found = status(Method::GET, condition, Some("\"7\""), StatusCode::OK);
            assert_eq!(found == StatusCode::NOT_MODIFIED, known, "{condition:?}");
        }
        assert_eq!(status(Method::GET, &["\"7\""], Some("W/\"7\""), StatusCode::OK), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn only_a_successful_read_with_a_tag_is_answered_without_its_body() {
        let of = |method, tag, answer| status(method, &["*"], tag, answer);
        assert_eq!(of(Method::HEAD, Some("\"7\""), StatusCode::OK), StatusCode::NOT_MODIFIED);
        assert_eq!(of(Method::PUT, Some("\"7\""), StatusCode::OK), StatusCode::OK);
        assert_eq!(of(Method::GET, None, StatusCode::OK), StatusCode::OK);
        assert_eq!(of(Method::GET, Some("\"7\""), StatusCode::NOT_FOUND), StatusCode::NOT_FOUND);
    }
}
