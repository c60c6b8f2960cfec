//! A status as a REST answer.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use tonic::Status;
use tonic::body::Body;

use super::ErrorReason;
use super::complete::complete;
use super::details::{Details, details};

#[derive(Serialize)]
#[serde(untagged)]
enum RestError<'a> {
    Invalid { error: &'a str, details: Vec<Violation<'a>> },
    Plain { code: &'a str, message: &'a str },
}

#[derive(Serialize)]
struct Violation<'a> {
    path: &'a str,
    message: &'a str,
    code: &'a str,
}

/// The REST answer to a call that failed: a pure function of its status. The reason is an extension of it.
#[must_use]
pub fn rest_response(status: &Status) -> Response<Body> {
    let (reason, body, details) = shape(status);
    let mut response = Response::new(crate::rest::full_body(body));
    *response.status_mut() = StatusCode::from_u16(reason.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(reason);
    let headers = response.headers_mut();
    secure(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if reason == ErrorReason::Unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = details.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(length) = details.complete_length
        && let Ok(range) = HeaderValue::try_from(format!("bytes */{length}"))
    {
        headers.insert(header::CONTENT_RANGE, range);
    }
    if let Some(allow) = details.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
        headers.insert(header::ALLOW, allow);
    }
    response
}

/// The JSON of a call that failed.
pub(crate) fn error_json(status: &Status) -> Vec<u8> {
    shape(status).1
}

/// Forbids browsers to guess what an answer is.
pub(crate) fn secure(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn shape(status: &Status) -> (ErrorReason, Vec<u8>, Details) {
    let (status, details) = match details(status) {
        Some(details) => (status.clone(), details),
        None => {
            let completed = complete(status.clone());
            let details = super::details(&completed).unwrap_or_else(|| Details::new(ErrorReason::InternalError));
            (completed, details)
        }
    };
    let reason = details.reason;
    let shape = match reason {
        ErrorReason::InvalidRequest => RestError::Invalid {
            error: reason.message(),
            details: details
                .violations
                .iter()
                .map(|violation| Violation {
                    path: &violation.field,
                    message: &violation.description,
                    code: &violation.reason,
                })
                .collect(),
        },
        // What went wrong inside is for the log.
        ErrorReason::InternalError => RestError::Plain { code: reason.machine_code(), message: reason.message() },
        _ if status.message().is_empty() => RestError::Plain { code: reason.machine_code(), message: reason.message() },
        _ => RestError::Plain { code: reason.machine_code(), message: status.message() },
    };
    // Texts and lists of texts: there is nothing in them that serde_json cannot write.
    let body = serde_json::to_vec(&shape).unwrap_or_default();
    (reason, body, details)
}
