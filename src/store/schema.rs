//! Bringing the schema up to date.

use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::{Engine, Store, StoreError};

/// What is done by one process at a time. The numbers are PostgreSQL advisory locks, arbitrary but ours for good.
#[derive(Clone, Copy)]
pub(super) enum Exclusive {
    /// Bringing the schema up to date.
    Migrate = 0x6b69_7201,
    /// Making the first signing key.
    FirstSigningKey = 0x6b69_7202,
}

/// PostgreSQL: how long a migration waits for a table that requests are using. All later requests for that table queue
/// up behind it meanwhile, so it gives up soon, lets them pass, and tries again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often it tries again, and the pause before.
const LOCK_TRIES: u32 = 30;
const LOCK_PAUSE: Duration = Duration::from_secs(1);

impl Store {
    /// Applies the migrations that are missing, and returns their names. Several processes may call it at once: each
    /// migration is applied by one of them. So may one whose version is older than the schema: what newer versions have
    /// added stays.
    ///
    /// On PostgreSQL each is a transaction of its own. Together they would hold the locks of several tables, and a request
    /// that takes those in another order would be refused as a deadlock.
    ///
    /// # Errors
    /// `Unavailable` without the database, or when a table is in use for too long; `Internal` when a migration fails.
    /// Those before it may be applied then, which every version can live with.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut applied = Vec::new();
        let mut tries = 1;
        loop {
            match self.migrate_once().await {
                Ok(names) if names.is_empty() => return Ok(applied),
                Ok(names) => {
                    applied.extend(names);
                    tries = 1;
                }
                Err(error) if tries < LOCK_TRIES && error.is_lock_trouble() => {
                    tracing::info!(tries, "a table is in use; the migration lets requests pass and tries again");
                    tries += 1;
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Applies what one transaction may of the migrations that are missing, and gives their names; none: there are none.
    async fn migrate_once(&self) -> Result<Vec<String>, StoreError> {
        let transaction = self.begin().await?;
        self.exclude_others(&transaction, Exclusive::Migrate).await?;
        if self.engine() == Engine::Postgres {
            let limit = format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis());
            transaction.execute_unprepared(&limit).await?;
        }
        let mut next = migration::pending(&transaction).await?;
        if self.engine() == Engine::Postgres {
            next.truncate(1);
        }
        if let Ok(steps @ 1..) = u32::try_from(next.len()) {
            Migrator::up(&transaction, Some(steps)).await?;
            transaction.commit().await?;
        }
        Ok(next)
    }

    /// The migrations that are missing; none: the schema is current, or newer than this version. Changes nothing, not
    /// even an empty database.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        Ok(migration::pending(&self.read()).await?)
    }

    /// Waits until no other process does `what`, for the rest of the transaction. On SQLite the transaction itself is
    /// exclusive.
    pub(super) async fn exclude_others(
        &self,
        transaction: &DatabaseTransaction,
        what: Exclusive,
    ) -> Result<(), StoreError> {
        if self.engine() == Engine::Postgres {
            let lock = format!("SELECT pg_advisory_xact_lock({})", what as i64);
            transaction.execute_unprepared(&lock).await?;
        }
        Ok(())
    }
}
