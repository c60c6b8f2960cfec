//! Errors over both protocols.
//!
//! An error is a `tonic::Status` whose details say why in a form for programs: `google.rpc.ErrorInfo`, and where they
//! apply `google.rpc.BadRequest` and `google.rpc.RetryInfo`. The REST answer is a pure function of that status.

mod complete;
mod details;
mod rest;

pub use complete::{complete, complete_headers};
pub use details::{Details, details};
pub use rest::rest_response;
pub(crate) use rest::{error_json, secure};

use http::Method;
use tonic::Status;

use self::generated::google::rpc;
pub use self::generated::google::rpc::bad_request::FieldViolation;
pub use self::generated::kira::api::v1::ErrorReason;
use crate::problem::{Path, Problems};

#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/errors.rs"));
}

/// The `domain` of our `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "users.kira";

/// An error with a reason, and a message for people.
#[must_use]
pub fn status(reason: ErrorReason, message: impl Into<String>) -> Status {
    Details::new(reason).into_status(message)
}

/// An error with a reason, and the reason's own message.
#[must_use]
pub fn with_reason(reason: ErrorReason) -> Status {
    status(reason, reason.message())
}

/// An error that may be gone after `seconds`.
#[must_use]
pub fn status_with_retry(reason: ErrorReason, seconds: u32) -> Status {
    let mut details = Details::new(reason);
    details.retry_after = Some(u64::from(seconds));
    details.into_status(reason.message())
}

/// The error of a range that has none of the `size` bytes that there are.
#[must_use]
pub fn range_not_satisfiable(size: u64) -> Status {
    let mut details = Details::new(ErrorReason::RangeNotSatisfiable);
    details.complete_length = Some(size);
    details.into_status(ErrorReason::RangeNotSatisfiable.message())
}

/// The error of a request with problems.
#[must_use]
pub fn invalid_request(problems: Problems) -> Status {
    let mut details = Details::new(ErrorReason::InvalidRequest);
    details.violations = problems
        .into_sorted()
        .into_iter()
        .map(|problem| rpc::bad_request::FieldViolation {
            field: problem.path.to_string(),
            description: problem.message.into_owned(),
            reason: problem.code.into_owned(),
            localized_message: None,
        })
        .collect();
    details.into_status(ErrorReason::InvalidRequest.message())
}

/// The error of a request with one problem that is none of a single field.
#[must_use]
pub fn invalid(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Status {
    let mut problems = Problems::default();
    problems.push(Path::default(), code, message);
    invalid_request(problems)
}

/// The error of a path that has no route.
#[must_use]
pub fn route_not_found() -> Status {
    status(ErrorReason::NotFound, "Route not found")
}

/// The error of a path that has routes, but for the methods `allowed` only.
#[must_use]
pub fn method_not_allowed(method: &Method, allowed: &[&str]) -> Status {
    let mut details = Details::new(ErrorReason::MethodNotAllowed);
    details.allow = Some(allowed.join(", "));
    // An unknown method is the caller's text, hence it is not repeated.
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let message = match known.contains(method) {
        true => format!("Method {method} is not allowed here"),
        false => ErrorReason::MethodNotAllowed.message().to_owned(),
    };
    details.into_status(message)
}
