//! The details of a status: `google.rpc.Status` with ErrorInfo, BadRequest and RetryInfo.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::{Any, Duration};
use tonic::Status;

use super::generated::google::rpc;
use super::{DOMAIN, ErrorReason};

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const ALLOW: &str = "allow";
const COMPLETE_LENGTH: &str = "complete_length";

/// What a status says beyond its code and its message.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// Why the call failed.
    pub reason: ErrorReason,
    /// What is wrong with the request: path, sentence and code of each problem.
    pub violations: Vec<rpc::bad_request::FieldViolation>,
    /// Seconds to wait before another try.
    pub retry_after: Option<u64>,
    /// The methods of a path, for a request with another one.
    pub allow: Option<String>,
    /// The bytes of the whole, for a range that has none of them.
    pub complete_length: Option<u64>,
}

impl Details {
    pub(super) fn new(reason: ErrorReason) -> Self {
        Self { reason, violations: Vec::new(), retry_after: None, allow: None, complete_length: None }
    }

    pub(super) fn into_status(self, message: impl Into<String>) -> Status {
        let (code, message) = (self.reason.code(), message.into());
        let mut details = vec![any(
            ERROR_INFO,
            &rpc::ErrorInfo {
                reason: self.reason.as_str().to_owned(),
                domain: DOMAIN.to_owned(),
                metadata: [
                    self.allow.map(|allow| (ALLOW.to_owned(), allow)),
                    self.complete_length.map(|length| (COMPLETE_LENGTH.to_owned(), length.to_string())),
                ]
                .into_iter()
                .flatten()
                .collect::<BTreeMap<_, _>>(),
            },
        )];
        if !self.violations.is_empty() {
            details.push(any(BAD_REQUEST, &rpc::BadRequest { field_violations: self.violations }));
        }
        if let Some(seconds) = self.retry_after {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            details.push(any(RETRY_INFO, &rpc::RetryInfo { retry_delay: Some(Duration { seconds, nanos: 0 }) }));
        }
        let encoded = rpc::Status { code: code.into(), message: message.clone(), details }.encode_to_vec();
        Status::with_details(code, message, encoded.into())
    }
}

fn any(type_url: &str, message: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

/// Reads the details of a status; none where it is not one of ours.
#[must_use]
pub fn details(status: &Status) -> Option<Details> {
    if status.details().is_empty() {
        return None;
    }
    let encoded = rpc::Status::decode(status.details()).ok()?;
    let find = |type_url: &str| encoded.details.iter().find(|any| any.type_url == type_url);
    let info = rpc::ErrorInfo::decode(find(ERROR_INFO)?.value.as_slice()).ok().filter(|info| info.domain == DOMAIN)?;
    let mut details = Details::new(ErrorReason::from_reason(&info.reason)?);
    details.allow = info.metadata.get(ALLOW).cloned();
    details.complete_length = info.metadata.get(COMPLETE_LENGTH).and_then(|length| length.parse().ok());
    if let Some(any) = find(BAD_REQUEST) {
        details.violations = rpc::BadRequest::decode(any.value.as_slice()).ok()?.field_violations;
    }
    if let Some(any) = find(RETRY_INFO) {
        let delay = rpc::RetryInfo::decode(any.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
        // Waiting a little too long is right, a little too short is not.
        let seconds = delay.seconds.saturating_add(i64::from(delay.nanos > 0));
        details.retry_after = Some(u64::try_from(seconds).unwrap_or_default());
    }
    Some(details)
}
