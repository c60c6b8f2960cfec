//! What every call reads from a request that has passed the middleware and the contract's rules.

use kira_gateway::error;
use kira_gateway::problem::{Path, Problems};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use tracing::{Span, field};
use uuid::Uuid;

use super::failure::corrupt;
use crate::auth::Caller;
use crate::contract::v1;
use crate::store::MOST_COUNTED;

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

/// An identifier that need not be there, checked as well.
pub(super) fn optional_id(text: Option<String>) -> Result<Option<Uuid>, Status> {
    text.map(|id| checked_id(Some(id))).transpose()
}

/// The error of a cursor in the field `field` that names nothing of the caller's.
pub(super) fn unknown_cursor(field: &'static str) -> Status {
    let mut problems = Problems::default();
    problems.push(Path::key(0, field), "custom", "Unknown cursor");
    error::invalid_request(problems)
}

/// Which part of a list a request asks for: so many rows behind an offset or a cursor.
pub(super) struct PageRequest {
    limit: u32,
    /// How many rows to skip.
    pub(super) offset: u32,
}

impl PageRequest {
    /// # Errors
    /// `INVALID_REQUEST` for an offset beyond [`MOST_COUNTED`], since each row before it is read, or one beside a cursor.
    pub(super) fn new(limit: u32, offset: Option<u32>, has_cursor: bool) -> Result<Self, Status> {
        let mut problems = Problems::default();
        if offset.is_some() && has_cursor {
            problems.push(Path::key(0, "offset"), "custom", "Must not be given with a cursor");
        }
        let offset = offset.unwrap_or_default();
        if u64::from(offset) > MOST_COUNTED {
            let message = format!("Number must be less than or equal to {MOST_COUNTED}");
            problems.push(Path::key(0, "offset"), "too_big", message);
        }
        if problems.is_empty() { Ok(Self { limit, offset }) } else { Err(error::invalid_request(problems)) }
    }

    /// How many rows to read: one more than are shown, which says whether there are more.
    pub(super) fn rows(&self) -> u64 {
        u64::from(self.limit) + 1
    }

    /// Ends the page: leaves the rows that are shown, and describes them. `id` is the cursor behind a row.
    pub(super) fn end<T>(&self, rows: &mut Vec<T>, total: u64, id: impl Fn(&T) -> &str) -> v1::Pagination {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        v1::Pagination {
            total: u32::try_from(total.min(MOST_COUNTED)).unwrap_or(u32::MAX),
            limit: self.limit,
            offset: self.offset,
            has_more,
            next_cursor: rows.last().filter(|_| has_more).map(|row| id(row).to_owned()),
        }
    }
}

/// Marks the response to a repeated request.
pub(super) fn replayed<T>(mut response: Response<T>) -> Response<T> {
    response.metadata_mut().insert("idempotent-replayed", MetadataValue::from_static("true"));
    response
}

/// The response of a change, marked if an earlier request with the same key made it.
pub(super) fn answer<T>(message: T, was_replayed: bool) -> Response<T> {
    let response = Response::new(message);
    if was_replayed { replayed(response) } else { response }
}
