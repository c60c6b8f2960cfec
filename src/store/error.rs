//! What can go wrong in the store, sorted by what a caller can do about it.

use sea_orm::sqlx::error::DatabaseError;
use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr, SqlxError};

/// An error of the store.
///
/// Neither its text nor its source holds a value of a row or a parameter: what the driver says is reduced to the part
/// that names tables, constraints and codes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database URL or an option cannot be used; an operator has to change it.
    #[error("the database is not configured rightly: {0}")]
    Configuration(String),
    /// The database cannot be reached, is busy, full or shutting down: the same call may succeed later (503).
    #[error("the database is unavailable")]
    Unavailable(#[source] Cause),
    /// Anything else: a broken constraint, a corrupt row, a missing table.
    #[error("the database refused a statement or returned something unexpected")]
    Internal(#[source] Cause),
}

/// What the driver reported, for the log: its code and its text without any value.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}{}", code.as_ref().map(|code| format!(" (code {code})")).unwrap_or_default())]
pub struct Cause {
    code: Option<String>,
    text: String,
}

impl Cause {
    fn text(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into() }
    }
}

impl StoreError {
    /// Whether a lock was not to be had in time, or two transactions waited for each other: nothing was done.
    pub(super) fn is_lock_trouble(&self) -> bool {
        let (Self::Unavailable(cause) | Self::Internal(cause)) = self else { return false };
        matches!(cause.code.as_deref(), Some("55P03" | "40P01"))
    }

    /// A row holds what this program never writes.
    pub(super) fn corrupt(what: &'static str) -> Self {
        Self::Internal(Cause::text(format!("{what} is corrupt")))
    }

    /// The service is shutting down, or the writer gave up the work without an outcome.
    pub(super) fn writer_gone() -> Self {
        Self::Unavailable(Cause::text("the writer has stopped"))
    }
}

/// How long the database may take for one step of work in the background, which no caller waits for. Far more than any
/// step takes; without it one connection that was lost without a word would hold the work up until the system gives it
/// up, after a quarter of an hour.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// The outcome of one step of work in the background; `Unavailable` after [`STEP_LIMIT`]. Whether it took effect then is
/// not known, as after any break.
///
/// # Errors
/// Those of `step`.
pub async fn in_time<T>(step: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let out_of_time = |_| StoreError::Unavailable(Cause::text("the database took too long"));
    tokio::time::timeout(STEP_LIMIT, step).await.map_err(out_of_time)?
}

/// The outcome of a write that may meet a row that is there already.
#[derive(Clone, Debug)]
pub(super) enum WriteError {
    /// A unique constraint is violated; nothing was written.
    Conflict(StoreError),
    /// Anything else; nothing was written, unless the connection broke while the commit was under way.
    Failed(StoreError),
}

impl From<DbErr> for WriteError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Conflict(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                Self::Unavailable(Cause::text("no connection became free in time"))
            }
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => {
                Self::Unavailable(Cause::text("the connection pool is closed"))
            }
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => classify(&error),
            // The migrator's own words: names of migrations.
            DbErr::Custom(text) | DbErr::Migration(text) => Self::Internal(Cause::text(text)),
            DbErr::Json(_) | DbErr::Type(_) | DbErr::TryIntoErr { .. } => {
                Self::Internal(Cause::text("a value has not the type of its column"))
            }
            _ => Self::Internal(Cause::text("the object mapper failed")),
        }
    }
}

/// Sorts an error of the driver.
pub(super) fn classify(error: &SqlxError) -> StoreError {
    match error {
        SqlxError::Database(error) => classify_code(error.as_ref()),
        SqlxError::Io(error) => StoreError::Unavailable(Cause::text(error.to_string())),
        SqlxError::Tls(error) => StoreError::Unavailable(Cause::text(error.to_string())),
        SqlxError::Protocol(_) => StoreError::Unavailable(Cause::text("the server broke the protocol")),
        SqlxError::PoolTimedOut => StoreError::Unavailable(Cause::text("no connection became free in time")),
        SqlxError::PoolClosed => StoreError::Unavailable(Cause::text("the connection pool is closed")),
        SqlxError::WorkerCrashed => StoreError::Unavailable(Cause::text("the connection's thread has ended")),
        SqlxError::Configuration(error) => StoreError::Configuration(error.to_string()),
        SqlxError::ColumnDecode { index, .. } => {
            StoreError::Internal(Cause::text(format!("column {index} cannot be decoded")))
        }
        _ => StoreError::Internal(Cause::text("the driver failed")),
    }
}

fn classify_code(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let unavailable = match code.parse::<u32>() {
        // SQLite's codes are numbers; the low byte is the kind, the rest the detail. (PostgreSQL's have five characters.)
        Ok(number) if code.len() < 5 => sqlite_is_unavailable(number & 0xff),
        _ => postgres_is_unavailable(&code),
    };
    // "Data exceptions" quote the value they stumbled over; every other message names only tables and constraints.
    // PostgreSQL's DETAIL, which holds whole rows, is no part of the message.
    let text = if code.starts_with("22") && code.len() == 5 { "a value was refused" } else { error.message() };
    let cause = Cause { text: text.to_owned(), code: Some(code) };
    if unavailable { StoreError::Unavailable(cause) } else { StoreError::Internal(cause) }
}

/// READONLY (the file was moved away), BUSY, LOCKED, IOERR, FULL, CANTOPEN.
fn sqlite_is_unavailable(kind: u32) -> bool {
    matches!(kind, 5 | 6 | 8 | 10 | 13 | 14)
}

/// By class: connection, authorization, unknown database, transaction rolled back (deadlock), resources, operator's
/// intervention (shutdown, cancelled by a time-out), system error. By code: a standby that takes no writes, a lock that
/// is not to be had.
fn postgres_is_unavailable(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "28" | "3D" | "40" | "53" | "57" | "58")) || matches!(code, "25006" | "55P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_or_vanished_sqlite_file_is_unavailable_and_a_broken_constraint_is_not() {
        assert!([5, 517, 8, 1032, 10, 13, 14].into_iter().all(|code: u32| sqlite_is_unavailable(code & 0xff)));
        assert!(![19, 2067, 1555, 787, 11].into_iter().any(|code: u32| sqlite_is_unavailable(code & 0xff)));
    }

    #[test]
    fn a_postgres_that_shuts_down_or_has_no_room_is_unavailable_and_a_broken_constraint_is_not() {
        assert!(["08006", "57P01", "53300", "40P01", "25006", "28P01"].into_iter().all(postgres_is_unavailable));
        assert!(!["23505", "42P01", "22P02", "XX001", ""].into_iter().any(postgres_is_unavailable));
    }
}
