//! What the database takes: the time of each statement, and the connections.

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::{Database, Pool};

use crate::telemetry::Metrics;
use crate::telemetry::metrics::ConnectionCounts;

/// Measures every statement of a pool, by what it does to which table. Neither its text nor its values are looked at any
/// further.
pub(super) fn statements(pool: &mut DatabaseConnection, metrics: &Metrics) {
    let metrics = metrics.clone();
    pool.set_metric_callback(move |statement| {
        let (operation, table) = summary(&statement.statement.sql);
        metrics.statement(operation, table, statement.elapsed, statement.failed);
    });
}

/// Shows the connections of PostgreSQL's pool.
pub(super) fn postgres_connections(pool: &DatabaseConnection, metrics: &Metrics) {
    let pool = pool.get_postgres_connection_pool().clone();
    metrics.watch_connections(move || counts(&pool));
}

/// Shows the connections of SQLite's pools together.
pub(super) fn sqlite_connections(pools: &[&DatabaseConnection], metrics: &Metrics) {
    let pools: Vec<_> = pools.iter().map(|pool| pool.get_sqlite_connection_pool().clone()).collect();
    metrics.watch_connections(move || {
        pools.iter().map(counts).fold(ConnectionCounts { idle: 0, used: 0, max: 0 }, |all, pool| ConnectionCounts {
            idle: all.idle + pool.idle,
            used: all.used + pool.used,
            max: all.max + pool.max,
        })
    });
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
