//! Bringing the schema up to date.

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

impl Store {
    /// Applies the migrations that are missing, all or none, and returns their names. Two processes may call it at
    /// once: the second waits and finds nothing to do.
    ///
    /// # Errors
    /// `Unavailable` without the database; `Internal` when a migration fails or the database was migrated by a newer
    /// version of this program.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let transaction = self.begin().await?;
        self.exclude_others(&transaction, Exclusive::Migrate).await?;
        let pending = pending(&transaction).await?;
        Migrator::up(&transaction, None).await?;
        transaction.commit().await?;
        Ok(pending)
    }

    /// The migrations that are missing; none: the schema is current. Changes nothing, not even an empty database.
    ///
    /// # Errors
    /// As `migrate`.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        pending(self.read()).await
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

async fn pending<C: ConnectionTrait>(connection: &C) -> Result<Vec<String>, StoreError> {
    let pending = Migrator::get_pending_migrations_read_only(connection).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}
