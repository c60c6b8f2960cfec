//! Bringing the schema up to date.

use std::time::Duration;

use migration::{Migrator, MigratorTrait, StatementMigrator};
use sea_orm::ConnectionTrait;

use super::{Engine, Profile, Store, StoreError, Transaction};

/// What is done by one process at a time. The numbers are PostgreSQL advisory locks, arbitrary but ours for good.
#[derive(Clone, Copy)]
pub(super) enum AdvisoryLock {
    /// Bringing the schema up to date.
    Migrate = 0x6b69_7201,
    /// Making the first signing key.
    FirstSigningKey = 0x6b69_7202,
    /// Making the first client.
    FirstClient = 0x6b69_7203,
    /// Making and dropping partitions.
    Partitions = 0x6b69_7204,
}

/// PostgreSQL: how long a migration waits for a table that requests are using. All later requests for that table queue
/// up behind it meanwhile, so it gives up soon, lets them pass, and tries again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often it tries again, and the pause before.
const LOCK_TRIES: u32 = 30;
const LOCK_PAUSE: Duration = Duration::from_secs(1);
/// How often a migration by single statements is tried.
const STATEMENT_TRIES: u32 = 5;

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
        if self.profile() == Profile::Distributed {
            return self.migrate_by_statement().await;
        }
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

    /// Applies the migrations that are missing, each statement of them a transaction of its own. Several processes may do
    /// it at once, since what is there is left as it is: one of them records the migration, and those that met it try again.
    async fn migrate_by_statement(&self) -> Result<Vec<String>, StoreError> {
        let pool = self.pools().write;
        let (mut applied, mut tries) = (Vec::new(), 1);
        while let Some(next) = migration::pending(&pool).await?.into_iter().next() {
            match StatementMigrator::up(&pool, Some(1)).await {
                Ok(()) => {
                    applied.push(next);
                    tries = 1;
                }
                Err(error) if tries < STATEMENT_TRIES => {
                    let error = StoreError::from(error);
                    tracing::info!(%error, tries, "another process may have applied a migration; it is tried again");
                    tries += 1;
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(applied)
    }

    /// Applies what one transaction may of the migrations that are missing, and gives their names; none: there are none.
    async fn migrate_once(&self) -> Result<Vec<String>, StoreError> {
        let transaction = self.begin_migration().await?;
        if self.engine() == Engine::Postgres {
            let begin = format!(
                "SELECT pg_advisory_xact_lock({}); SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = 0",
                AdvisoryLock::Migrate as i64,
                LOCK_TIMEOUT.as_millis()
            );
            transaction.execute_unprepared(&begin).await?;
        }
        let mut next = migration::pending(&transaction).await?;
        if self.engine() == Engine::Postgres {
            next.truncate(1);
        }
        if let Ok(steps @ 1..) = u32::try_from(next.len()) {
            Migrator::up(&transaction, Some(steps)).await?;
            self.forget_names(&transaction).await?;
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
        self.connections.meter.session.contact().await?;
        if self.is_prepared() {
            return Ok(migration::pending(&self.pools().read).await?);
        }
        let transaction = self.begin_migration().await?;
        let pending = migration::pending(&transaction).await?;
        self.forget_names(&transaction).await?;
        transaction.rollback().await?;
        Ok(pending)
    }

    /// Waits until no other process does `what`, for the rest of the transaction. On SQLite the transaction itself is
    /// exclusive.
    pub(super) async fn advisory_lock(&self, transaction: &Transaction, what: AdvisoryLock) -> Result<(), StoreError> {
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => transaction.exclude(what).await,
        }
    }
}
