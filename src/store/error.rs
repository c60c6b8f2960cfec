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
    /// Whether a lock timed out, or two transactions were in a deadlock: nothing was done.
    pub(super) fn is_lock_trouble(&self) -> bool {
        let (Self::Unavailable(cause) | Self::Internal(cause)) = self else { return false };
        matches!(cause.code.as_deref(), Some("55P03" | "40P01"))
    }

    /// Whether another connection holds SQLite's file (SQLITE_BUSY and its extended codes).
    pub(super) fn is_file_busy(&self) -> bool {
        let Self::Unavailable(cause) = self else { return false };
        cause.code.as_deref().and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 5)
    }

    /// Whether a partition cannot be made, because the default partition holds rows of its range.
    pub(super) fn is_row_in_default(&self) -> bool {
        let (Self::Unavailable(cause) | Self::Internal(cause)) = self else { return false };
        cause.code.as_deref() == Some("23514")
    }

    /// A row holds what this program never writes.
    pub(super) fn corrupt(what: &'static str) -> Self {
        Self::Internal(Cause::text(format!("{what} is corrupt")))
    }

    /// Two requests met at an external id that is free again: one of them is to be sent again.
    pub(super) fn external_id_released() -> Self {
        Self::Unavailable(Cause::text("another user gave the external id up meanwhile"))
    }

    /// The service is shutting down, or the writer dropped the work without an outcome.
    pub(super) fn writer_gone() -> Self {
        Self::Unavailable(Cause::text("the writer has stopped"))
    }
}

/// How long the database may take for one step of work in the background, which no caller waits for. Far more than any
/// step takes; without it a half-open connection would block the job until the system times out, after a quarter of an hour.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// The outcome of one step of work in the background; `Unavailable` after [`STEP_LIMIT`]. Whether it took effect then is
/// not known, as after any break.
///
/// # Errors
/// Those of `step`.
pub async fn with_step_timeout<T>(step: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let out_of_time = |_| StoreError::Unavailable(Cause::text("the database took too long"));
    tokio::time::timeout(STEP_LIMIT, step).await.map_err(out_of_time)?
}

/// The outcome of a write that may meet a row that is there already.
#[derive(Clone, Debug)]
pub(super) enum WriteError {
    /// A unique constraint is violated; nothing was written.
    Conflict(StoreError),
    /// Anything else; nothing was written, unless the connection broke during the commit.
    Failed(StoreError),
}

/// What a failure of the driver leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The database asks for the whole transaction again: it met another one, and nothing was done.
    Again,
    /// The database has refused a statement, and is as it was before.
    Refused,
    /// Nothing is known: of the connection, of the transaction, nor of a commit.
    Unclear,
}

impl Failure {
    pub(super) fn of(error: &SqlxError) -> Self {
        match error {
            SqlxError::Database(error) => {
                let code = error.code().unwrap_or_default();
                sqlite_code(&code).map_or_else(|| Self::of_postgres(&code), Self::of_sqlite)
            }
            // Of the driver, about a row that has arrived whole.
            SqlxError::RowNotFound | SqlxError::ColumnDecode { .. } | SqlxError::Decode(_) => Self::Refused,
            _ => Self::Unclear,
        }
    }

    fn of_sqlite(code: u32) -> Self {
        match code {
            // BUSY_RECOVERY, BUSY_SNAPSHOT: no waiting would have helped.
            261 | 517 => Self::Again,
            // ERROR, BUSY, LOCKED, TOOBIG, CONSTRAINT, MISMATCH. SQLite undoes the statement alone; after anything
            // else it may have undone the transaction.
            code if matches!(code & 0xff, 1 | 5 | 6 | 18 | 19 | 20) => Self::Refused,
            _ => Self::Unclear,
        }
    }

    /// The server says of every error that it has undone the transaction; but the connection may be ending, or the
    /// server may not know it itself (40003).
    fn of_postgres(code: &str) -> Self {
        match code {
            // 42P05, 26000: of a pooler that follows no prepared statements; the statement was not run.
            "40001" | "40P01" | "42P05" | "26000" => Self::Again,
            "40003" => Self::Unclear,
            // The server takes no writes any more: another one is the primary, and new connections may lead there.
            "25006" => Self::Unclear,
            _ if matches!(code.get(..2), Some("08" | "57" | "58" | "XX") | None) => Self::Unclear,
            _ => Self::Refused,
        }
    }
}

/// SQLite's codes are numbers of up to four digits; PostgreSQL's have five characters.
pub(super) fn sqlite_code(code: &str) -> Option<u32> {
    code.parse().ok().filter(|_| code.len() < 5)
}

impl From<DbErr> for WriteError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Conflict(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
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
    let unavailable = match sqlite_code(&code) {
        // The low byte is the kind, the rest the detail.
        Some(number) => sqlite_is_unavailable(number & 0xff),
        None => postgres_is_unavailable(&code),
    };
    // "Data exceptions" quote the value they stumbled over; every other message names only tables and constraints.
    // PostgreSQL's DETAIL, which holds whole rows, is no part of the message.
    let text = if code.starts_with("22") && code.len() == 5 { "a value was refused" } else { error.message() };
    let cause = Cause { text: text.to_owned(), code: Some(code) };
    if unavailable { StoreError::Unavailable(cause) } else { StoreError::Internal(cause) }
}

/// READONLY (the file was moved away), BUSY, LOCKED, IOERR, FULL, CANTOPEN. CORRUPT and NOTADB as well: that is what
/// SQLite calls a read of the schema that the disk has failed.
fn sqlite_is_unavailable(kind: u32) -> bool {
    matches!(kind, 5 | 6 | 8 | 10 | 11 | 13 | 14 | 26)
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
        assert!(
            [5, 517, 8, 1032, 10, 266, 11, 26, 13, 14].into_iter().all(|code: u32| sqlite_is_unavailable(code & 0xff))
        );
        assert!(![19, 2067, 1555, 787, 1].into_iter().any(|code: u32| sqlite_is_unavailable(code & 0xff)));
    }

    #[test]
    fn a_postgres_that_shuts_down_or_has_no_room_is_unavailable_and_a_broken_constraint_is_not() {
        assert!(["08006", "57P01", "53300", "40P01", "25006", "28P01"].into_iter().all(postgres_is_unavailable));
        assert!(!["23505", "42P01", "22P02", "XX001", ""].into_iter().any(postgres_is_unavailable));
    }
}
