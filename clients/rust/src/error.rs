//! Errors of calls.

use std::time::Duration;

use prost::Message as _;
use tonic::{Code, Status};

use crate::ErrorReason;
use crate::generated::google::rpc;

/// The `domain` of the service's errors.
const DOMAIN: &str = "users.kira";
const PREFIX: &str = "ERROR_REASON_";

/// A call that failed. Decide by [`Error::reason`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Why. None where something between the client and the service has answered or broken, or the service is newer than
    /// this client.
    pub reason: Option<ErrorReason>,
    /// The gRPC status code.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
    /// What is wrong with the request, all of it at once.
    pub violations: Vec<Violation>,
    /// When the service asks to try again.
    pub retry_after: Option<Duration>,
    /// By which the operators of the service find the request.
    pub request_id: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field, as in REST: `associated_persons.0.first_name`.
    pub path: String,
    /// A sentence for people.
    pub message: String,
    /// The machine code, such as `too_small`.
    pub code: String,
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
        let info: Option<rpc::ErrorInfo> = detail(&details, "ErrorInfo").filter(is_ours);
        let request: rpc::BadRequest = detail(&details, "BadRequest").unwrap_or_default();
        let violation = |found: rpc::bad_request::FieldViolation| Violation {
            path: found.field,
            message: found.description,
            code: found.reason,
        };
        let retry: Option<rpc::RetryInfo> = detail(&details, "RetryInfo");
        Self {
            reason: info.and_then(|info| ErrorReason::from_str_name(&format!("{PREFIX}{}", info.reason))),
            code: status.code(),
            message: status.message().to_owned(),
            violations: request.field_violations.into_iter().map(violation).collect(),
            retry_after: retry.and_then(|retry| retry.retry_delay).and_then(|delay| delay.try_into().ok()),
            request_id: status.metadata().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned),
        }
    }
}

fn is_ours(info: &rpc::ErrorInfo) -> bool {
    info.domain == DOMAIN
}

fn detail<T: prost::Message + Default>(details: &[prost_types::Any], name: &str) -> Option<T> {
    let any = details.iter().find(|any| any.type_url == format!("type.googleapis.com/google.rpc.{name}"))?;
    T::decode(any.value.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bytes;

    #[test]
    fn an_error_of_someone_else_has_no_reason() {
        let info =
            rpc::ErrorInfo { reason: "NOT_FOUND".to_owned(), domain: "example.com".to_owned(), ..Default::default() };
        let type_url = "type.googleapis.com/google.rpc.ErrorInfo".to_owned();
        let details = vec![prost_types::Any { type_url, value: info.encode_to_vec() }];
        let encoded = rpc::Status { details, ..Default::default() }.encode_to_vec();
        let error = Error::from(Status::with_details(Code::NotFound, "nothing", encoded.into()));
        assert_eq!((error.reason, error.code), (None, Code::NotFound));
        assert_eq!(Error::from(Status::with_details(Code::Internal, "", Bytes::from_static(b"\xff"))).reason, None);
    }
}
