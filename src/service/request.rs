//! What every call needs of its request, once the layers and the rules have let it through.

use tonic::{Request, Status};
use tracing::{Span, field};
use uuid::Uuid;

use super::failure::corrupt;
use crate::auth::Caller;

/// The client that makes the call.
pub(super) fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().copied().ok_or_else(|| corrupt("a request that was not authenticated"))
}

/// The user that the call is about, for the request's line in the log and its trace.
pub(super) fn note_user(id: Uuid) {
    Span::current().record("user_id", field::display(id));
}

/// An identifier that the rules of the contract have checked.
pub(super) fn checked_id(text: Option<impl AsRef<str>>) -> Result<Uuid, Status> {
    text.and_then(|text| Uuid::try_parse(text.as_ref()).ok()).ok_or_else(|| corrupt("a request that was not checked"))
}
