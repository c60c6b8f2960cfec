//! Whether the disk of an embedded database takes writes, as far as those that were tried say.

use std::sync::{Mutex, PoisonError};

use sea_orm::{ConnectionTrait, SqlxError};

use super::error::sqlite_code;
use super::{Engine, Store, StoreError, in_transaction};

/// What keeps writes from the disk; none as far as is known.
#[derive(Debug, Default)]
pub(super) struct Writes(Mutex<Option<&'static str>>);

impl Writes {
    /// Takes note of a failure within a transaction that writes.
    pub(super) fn failed(&self, error: &SqlxError) {
        let SqlxError::Database(error) = error else { return };
        let Some(code) = error.code().and_then(|code| sqlite_code(&code)) else { return };
        // The low byte is the kind, the rest the detail.
        let obstacle = match code & 0xff {
            8 => "the database takes no writes: its file is read-only",
            10 => "the database takes no writes: its disk fails",
            13 => "the database takes no writes: its disk is full",
            _ => return,
        };
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(obstacle).is_none() {
            tracing::error!(code, "{obstacle}");
        }
    }

    fn obstacle(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("the database takes writes again");
        }
    }
}

impl Store {
    /// Why writes fail, from the first one that did until [`Store::probe_writes`] finds that they succeed. Always none on
    /// PostgreSQL, whose server watches its own disk.
    #[must_use]
    pub fn write_obstacle(&self) -> Option<&'static str> {
        self.connections.meter.writes.obstacle()
    }

    /// Where writes have failed, tries one that changes nothing.
    ///
    /// # Errors
    /// `Unavailable` where it fails as well.
    pub async fn probe_writes(&self) -> Result<(), StoreError> {
        if self.engine() == Engine::Postgres || self.write_obstacle().is_none() {
            return Ok(());
        }
        let written: Result<_, StoreError> = in_transaction!(self, |transaction| {
            // Nothing reads this number of the file's header. Setting it is a write, whatever it was before.
            Ok(transaction.execute_unprepared("PRAGMA user_version = 0").await?)
        });
        written?;
        self.connections.meter.writes.succeeded();
        Ok(())
    }
}
