//! What the database takes: the time of each statement, and the connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::{Database, Pool};
use sea_orm::{DatabaseConnection, Statement};

use super::connect::{Pools, SharedPools};
use super::session::Session;
use super::shares::ClientShares;
use super::writes::Writes;
use super::{StatementObserver, StoreOptions};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::ConnectionCounts;

/// Measures every statement, by what it does to which table, and counts those that are answered. Neither its text nor
/// its values are looked at any further. All work with the database passes it, and so it also has the shares of clients.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The shares of the clients in the connections of requests.
    pub(super) shares: ClientShares,
    metrics: Metrics,
    answered: AtomicU64,
    observer: Option<StatementObserver>,
    /// Whether writes succeed.
    pub(super) writes: Writes,
    /// How statements are sent.
    pub(super) session: Session,
}

impl Meter {
    /// `connections`: of the pool that requests read from.
    pub(super) fn new(options: &StoreOptions, connections: u32, session: Session) -> Self {
        Self {
            shares: ClientShares::new(connections, options.acquire_timeout),
            metrics: options.metrics.clone(),
            answered: AtomicU64::default(),
            observer: options.statement_observer.clone(),
            writes: Writes::default(),
            session,
        }
    }

    /// Shows a statement that is about to run to the observer.
    pub(super) fn observe(&self, statement: &Statement) {
        if let Some(StatementObserver(observe)) = &self.observer {
            observe(statement);
        }
    }

    pub(super) fn statement(&self, sql: &str, took: Duration, failed: bool) {
        let (operation, table) = summary(sql);
        self.metrics.statement(operation, table, took, failed);
        if !failed {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many statements the database has answered so far.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Measures what the object mapper sends by itself: migrations.
pub(super) fn statements(pool: &mut DatabaseConnection, meter: &Arc<Meter>) {
    let meter = Arc::clone(meter);
    pool.set_metric_callback(move |info| meter.statement(&info.statement.sql, info.elapsed, info.failed));
}

/// Shows the connections of PostgreSQL's pools together.
pub(super) fn postgres_connections(pools: &SharedPools, metrics: &Metrics) {
    let pools = Arc::clone(pools);
    metrics.watch_connections(move || {
        let Pools { write, background, .. } = now(&pools);
        let requests = counts(write.get_postgres_connection_pool());
        background.map_or(requests, |background| sum(requests, counts(background.get_postgres_connection_pool())))
    });
}

/// Shows the connections of SQLite's two pools together.
pub(super) fn sqlite_connections(pools: &SharedPools, metrics: &Metrics) {
    let pools = Arc::clone(pools);
    metrics.watch_connections(move || {
        let Pools { read, write, .. } = now(&pools);
        sum(counts(read.get_sqlite_connection_pool()), counts(write.get_sqlite_connection_pool()))
    });
}

fn sum(one: ConnectionCounts, other: ConnectionCounts) -> ConnectionCounts {
    ConnectionCounts { idle: one.idle + other.idle, used: one.used + other.used, max: one.max + other.max }
}

fn now(pools: &SharedPools) -> Pools {
    pools.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn counts<DB: Database>(pool: &Pool<DB>) -> ConnectionCounts {
    let (open, idle) = (u64::from(pool.size()), u64::try_from(pool.num_idle()).unwrap_or(u64::MAX));
    // The two are read one after the other.
    ConnectionCounts { idle, used: open.saturating_sub(idle), max: pool.options().get_max_connections().into() }
}

/// What a statement does, and to which table: of several inserts at once, the first one's.
fn summary(sql: &str) -> (&'static str, &str) {
    let verb = sql.split_ascii_whitespace().next().unwrap_or_default();
    let (operation, before_table) = match verb {
        "SELECT" => ("SELECT", "FROM \""),
        "INSERT" => ("INSERT", "INTO \""),
        "UPDATE" => ("UPDATE", "UPDATE \""),
        "DELETE" => ("DELETE", "FROM \""),
        // As `store::batch` writes them.
        "WITH" | "SAVEPOINT" => ("BATCH INSERT", "INTO \""),
        _ => return ("OTHER", ""),
    };
    let table = sql.split_once(before_table).and_then(|(_, rest)| rest.split_once('"')).map_or("", |(table, _)| table);
    (operation, table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_by_what_it_does_to_which_table() {
        assert_eq!(summary(r#"SELECT "users"."id" FROM "users" WHERE "id" = $1"#), ("SELECT", "users"));
        assert_eq!(summary(r#"INSERT INTO "events" ("id") VALUES (?)"#), ("INSERT", "events"));
        assert_eq!(summary(r#"UPDATE "jobs" SET "state" = ?"#), ("UPDATE", "jobs"));
        assert_eq!(summary(r#"DELETE FROM "jobs" WHERE "id" = ?"#), ("DELETE", "jobs"));
        assert_eq!(
            summary(r#"WITH "part_0" AS (INSERT INTO "users" …) INSERT INTO "keys" …"#),
            ("BATCH INSERT", "users")
        );
        assert_eq!(summary("SAVEPOINT batch; INSERT INTO \"users\" …; RELEASE batch"), ("BATCH INSERT", "users"));
        assert_eq!(summary("SELECT pg_advisory_xact_lock(1)"), ("SELECT", ""));
        assert_eq!(summary("LISTEN events"), ("OTHER", ""));
    }
}
