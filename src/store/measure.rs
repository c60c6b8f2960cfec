//! What the database takes: the time of each statement, and the connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::{Database, Pool};

use super::connect::{Pools, SharedPools};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::ConnectionCounts;

/// Measures every statement of a pool, by what it does to which table, and counts those that are `answered`. Neither its
/// text nor its values are looked at any further.
pub(super) fn statements(pool: &mut DatabaseConnection, metrics: &Metrics, answered: &Arc<AtomicU64>) {
    let (metrics, answered) = (metrics.clone(), Arc::clone(answered));
    pool.set_metric_callback(move |statement| {
        let (operation, table) = summary(&statement.statement.sql);
        metrics.statement(operation, table, statement.elapsed, statement.failed);
        if !statement.failed {
            answered.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Shows the connections of PostgreSQL's one pool.
pub(super) fn postgres_connections(pools: &SharedPools, metrics: &Metrics) {
    let pools = Arc::clone(pools);
    metrics.watch_connections(move || counts(now(&pools).write.get_postgres_connection_pool()));
}

/// Shows the connections of SQLite's two pools together.
pub(super) fn sqlite_connections(pools: &SharedPools, metrics: &Metrics) {
    let pools = Arc::clone(pools);
    metrics.watch_connections(move || {
        let Pools { read, write } = now(&pools);
        let (read, write) = (counts(read.get_sqlite_connection_pool()), counts(write.get_sqlite_connection_pool()));
        ConnectionCounts { idle: read.idle + write.idle, used: read.used + write.used, max: read.max + write.max }
    });
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
