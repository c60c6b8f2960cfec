//! Which features of PostgreSQL statements may use.

use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{ConnectionTrait as _, EntityTrait, QuerySelect as _, Select, SqlxError, Statement};

use super::schema::AdvisoryLock;
use super::{StoreError, Transaction};

/// Which features of PostgreSQL statements may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Those of PostgreSQL.
    #[default]
    Standard,
    /// Those that distributed databases share which speak its protocol: no LISTEN, no SKIP LOCKED, no advisory lock, no
    /// savepoint, one change of the schema a transaction. Transactions are serializable, and repeated when they conflict.
    Distributed,
}

/// What no statement has in the distributed profile. Names of tables and values are never part of these words: names are
/// quoted in lower case, and values are parameters.
const FORBIDDEN: [&str; 7] = [
    "SKIP LOCKED",
    "pg_advisory",
    "pg_try_advisory",
    "LISTEN",
    "NOTIFY",
    "SAVEPOINT",
    "ISOLATION LEVEL READ COMMITTED",
];

impl Profile {
    /// Refuses a statement that the profile does not have.
    pub(super) fn check(self, sql: &str) -> Result<(), SqlxError> {
        let forbidden = FORBIDDEN.iter().find(|forbidden| self == Self::Distributed && sql.contains(**forbidden));
        forbidden.map_or(Ok(()), |forbidden| {
            Err(SqlxError::Configuration(format!("the distributed profile has no {forbidden}").into()))
        })
    }

    /// How a transaction begins. The distributed profile sets the level on each connection: not every engine takes it here.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Standard => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Distributed => "BEGIN",
        }
    }
}

impl Transaction {
    /// Locks the rows of a query, without those that another transaction has locked. In the distributed profile nothing is
    /// locked: of two transactions that change a row, the database makes one of them begin again.
    pub(super) fn claim<E: EntityTrait>(&self, rows: Select<E>) -> Select<E> {
        match self.profile() {
            Profile::Standard => rows.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked),
            Profile::Distributed => rows,
        }
    }

    /// Waits until no other process does `what`, for the rest of the transaction. In the distributed profile two processes
    /// write one row, and one of them begins again.
    pub(super) async fn exclude(&self, what: AdvisoryLock) -> Result<(), StoreError> {
        match self.profile() {
            Profile::Standard => {
                let lock = format!("SELECT pg_advisory_xact_lock({})", what as i64);
                self.execute_unprepared(&lock).await?;
            }
            Profile::Distributed => {
                let sql = "INSERT INTO \"watermarks\" (\"name\", \"reached\") VALUES ($1, now()) \
                           ON CONFLICT (\"name\") DO UPDATE SET \"reached\" = EXCLUDED.\"reached\"";
                let name = format!("lock {:x}", what as i64);
                let row = Statement::from_sql_and_values(self.get_database_backend(), sql, [name.into()]);
                self.execute_raw(row).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distributed_profile_refuses_what_distributed_databases_do_not_have() {
        let sql = "SELECT \"id\" FROM \"jobs\" FOR UPDATE SKIP LOCKED";
        assert!(Profile::Distributed.check(sql).is_err() && Profile::Standard.check(sql).is_ok());
        for sql in ["SELECT pg_advisory_xact_lock(1)", "NOTIFY kira_events", "SAVEPOINT batch", "LISTEN kira_events"] {
            assert!(Profile::Distributed.check(sql).is_err(), "{sql}");
        }
        assert!(Profile::Distributed.check("SELECT \"id\" FROM \"jobs\" FOR UPDATE").is_ok());
    }
}
