//! Statuses that the libraries below us make, in our words.

use http::HeaderMap;
use tonic::{Code, Status};

use super::details::{Details, details};
use super::{ErrorReason, with_reason};
use crate::problem::{Path, Problems};

/// What tonic 0.14 says of a request that is not gRPC as it should be, all with the code INTERNAL. It is the caller's
/// fault, so that it must not look like ours.
const MALFORMED: [&str; 5] = [
    "failed to decode Protobuf message",
    "protocol error: received message",
    "Unexpected EOF decoding stream",
    "Missing request message",
    "Error decompressing",
];

/// The details of one answer travel as a header, and many clients refuse headers of more than 8 KiB.
const MAX_DETAILS: usize = 4_096;

/// Gives a status its reason where it has none: one made by tonic, or by a service that forgot.
///
/// Its text is replaced, since it may reveal internals.
#[must_use]
pub fn complete(status: Status) -> Status {
    if details(&status).is_some() {
        return status;
    }
    let mut completed = match reason(&status) {
        ErrorReason::InvalidRequest => {
            let mut problems = Problems::default();
            problems.push(Path::default(), "custom", "The request is not valid");
            super::invalid_request(problems)
        }
        reason => with_reason(reason),
    };
    *completed.metadata_mut() = status.metadata().clone();
    completed
}

/// The reason that fits a status without one.
pub(super) fn reason(status: &Status) -> ErrorReason {
    match status.code() {
        Code::Internal if MALFORMED.iter().any(|text| status.message().starts_with(text)) => {
            ErrorReason::InvalidRequest
        }
        Code::InvalidArgument => ErrorReason::InvalidRequest,
        // tonic's word for a message above `max_decoding_message_size`.
        Code::OutOfRange => ErrorReason::PayloadTooLarge,
        Code::ResourceExhausted if status.message().starts_with("Error decompressing") => ErrorReason::PayloadTooLarge,
        Code::ResourceExhausted => ErrorReason::RateLimitExceeded,
        // tonic's word for a call that took longer than its timeout.
        Code::Cancelled if status.message() == "Timeout expired" => ErrorReason::DeadlineExceeded,
        Code::DeadlineExceeded => ErrorReason::DeadlineExceeded,
        Code::NotFound => ErrorReason::NotFound,
        Code::PermissionDenied => ErrorReason::Forbidden,
        Code::Unauthenticated => ErrorReason::Unauthorized,
        Code::Unimplemented => ErrorReason::Unimplemented,
        Code::Unavailable | Code::Cancelled => ErrorReason::Unavailable,
        Code::Ok
        | Code::Unknown
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Internal
        | Code::DataLoss => ErrorReason::InternalError,
    }
}

/// Completes the status in the headers (or trailers) of a gRPC answer, and cuts a list of violations that is longer than
/// headers may be. For a layer around the gRPC server.
pub fn complete_headers(headers: &mut HeaderMap) {
    let Some(status) = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok) else { return };
    let status = match details(&status) {
        None => complete(status),
        Some(_) if status.details().len() <= MAX_DETAILS => return,
        Some(details) => cut(details, &status),
    };
    // The metadata of the status are the headers that are there already.
    let bare = Status::with_details(status.code(), status.message(), status.details().to_vec().into());
    if bare.add_header(headers).is_err() {
        headers.remove("grpc-status-details-bin");
    }
}

/// As many violations as fit, and how many are left out.
fn cut(mut details: Details, status: &Status) -> Status {
    let mut size = 0;
    let all = details.violations.len();
    details.violations.retain(|violation| {
        size += violation.field.len() + violation.reason.len() + violation.description.len() + 16;
        size < MAX_DETAILS - 512
    });
    let left_out = all - details.violations.len();
    details.violations.push(super::rpc::bad_request::FieldViolation {
        field: String::new(),
        reason: "custom".to_owned(),
        description: format!("{left_out} more problem(s) are not listed"),
        localized_message: None,
    });
    details.into_status(status.message())
}
