//! What the log, the metrics and the span of a request report about its response.

use std::time::Duration;

use http::StatusCode;
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::Code;

use crate::server::message::HttpResponse;
use crate::server::protocol::{Call, Protocol};
use crate::telemetry::metrics::RequestOutcome;

/// Marks the replay of an earlier response (docs/decisions.md, section 7).
const REPLAYED: &str = "idempotent-replayed";
/// The status of a request whose client disconnected, as proxies log it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A response, or its absence when the client disconnected.
pub(super) struct ResponseSummary {
    /// Whether the client disconnected before the response.
    pub(super) is_abandoned: bool,
    pub(super) call: Call,
    pub(super) status: StatusCode,
    /// Over gRPC.
    pub(super) grpc_code: Option<Code>,
    pub(super) reason: Option<ErrorReason>,
    pub(super) is_replayed: bool,
    pub(super) duration: Duration,
}

impl ResponseSummary {
    pub(super) fn of<P: Protocol>(response: &HttpResponse, call: Call, duration: Duration) -> Self {
        let grpc_status = P::grpc_status(response);
        let reason = grpc_status.as_ref().and_then(error::details).map(|details| details.reason);
        Self {
            is_abandoned: false,
            call,
            status: response.status(),
            grpc_code: grpc_status.map(|status| status.code()),
            reason: reason.or_else(|| response.extensions().get::<ErrorReason>().copied()),
            is_replayed: response.headers().contains_key(REPLAYED),
            duration,
        }
    }

    /// The summary of a request whose client disconnected.
    pub(super) fn abandoned<P: Protocol>(call: Call, duration: Duration) -> Self {
        Self {
            is_abandoned: true,
            call,
            status: StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or_default(),
            grpc_code: P::DISCONNECTED_CODE,
            reason: None,
            is_replayed: false,
            duration,
        }
    }

    /// The call, as `UsersService/CreateUser`.
    pub(super) fn call_name(&self) -> &'static str {
        let path = self.call.method.map_or("other", |method| method.grpc_path);
        path.rsplit_once('.').map_or(path, |(_, name)| name)
    }

    /// The name of the gRPC code, or over REST the HTTP status.
    pub(super) fn code(&self) -> &str {
        match self.grpc_code {
            Some(code) => code_name(code),
            None => self.status.as_str(),
        }
    }

    pub(super) fn outcome(&self) -> RequestOutcome {
        let is_server_error = match self.grpc_code {
            Some(Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::Unavailable | Code::DataLoss) => true,
            Some(_) => false,
            None => self.status.is_server_error() && self.status != StatusCode::NOT_IMPLEMENTED,
        };
        match self.grpc_code {
            _ if self.is_abandoned => RequestOutcome::Abandoned,
            // The client was too slow to send its request.
            _ if self.reason == Some(ErrorReason::RequestTimeout) => RequestOutcome::ClientError,
            _ if is_server_error => RequestOutcome::ServerError,
            Some(Code::Ok) => RequestOutcome::Success,
            None if !self.status.is_client_error() && self.reason.is_none() => RequestOutcome::Success,
            _ => RequestOutcome::ClientError,
        }
    }
}

/// The name of a gRPC code, as in the gRPC specification.
pub(super) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
