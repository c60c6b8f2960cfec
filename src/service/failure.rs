//! Converts errors of the store, the document store and the vault to a status. The cause is logged with the request's
//! id; callers learn only whether to retry.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::Status;

use crate::store::StoreError;
use crate::vault::documents::DocumentError;
use crate::vault::{FileError, VaultError};

/// Seconds after which an unavailable part may be back.
const RETRY_AFTER: u32 = 1;

pub(super) fn of_store(error: StoreError) -> Status {
    match &error {
        StoreError::Unavailable(cause) => unavailable("the database is unavailable", cause),
        _ => internal("the database failed", &error),
    }
}

pub(super) fn of_documents(error: DocumentError) -> Status {
    match &error {
        DocumentError::Unavailable(cause) => unavailable("the document store is unavailable", cause),
        _ => internal("the document store failed", &error),
    }
}

pub(super) fn of_file(error: FileError) -> Status {
    match error {
        FileError::Store(error) => of_documents(error),
        FileError::Sealed(error) => of_vault(error),
    }
}

pub(super) fn of_vault(error: VaultError) -> Status {
    internal("sealed data does not open", &error)
}

/// Something is not as this program writes it.
pub(super) fn corrupt(what: &'static str) -> Status {
    tracing::error!(what, "unexpected state");
    error::with_reason(ErrorReason::InternalError)
}

fn unavailable(what: &'static str, cause: &dyn std::error::Error) -> Status {
    tracing::warn!(cause = %cause, "{what}");
    error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER)
}

fn internal(what: &'static str, cause: &dyn std::error::Error) -> Status {
    tracing::error!(cause = %cause, source = cause.source().map(tracing::field::display), "{what}");
    error::with_reason(ErrorReason::InternalError)
}
