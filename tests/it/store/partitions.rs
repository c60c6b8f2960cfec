//! The partitions of PostgreSQL.

use chrono::{DateTime, TimeDelta, Utc};
use kira_users::store::{Engine, Store};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use crate::harness::database::{TestDatabase, engine};

fn now() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().expect("a time")
}

/// A migrated database of PostgreSQL with a store; SQLite has no partitions.
async fn database() -> Option<(TestDatabase, Store)> {
    if engine() == Engine::Sqlite {
        return None;
    }
    let database = TestDatabase::migrated().await;
    let store = database.store().await;
    Some((database, store))
}

/// The partitions, in the order of their names.
async fn partitions(connection: &DatabaseConnection) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    rows.expect("names").iter().map(|row| row.try_get_by_index(0).expect("a name")).collect()
}

async fn attempt(connection: &DatabaseConnection, number: u32, at: &str) {
    let sql = format!(
        "INSERT INTO webhook_attempts (client_id, delivery_id, number, started_at, duration_ms) \
         VALUES ('{0}', '{0}', {number}, '{at}', 1)",
        uuid::Uuid::from_u128(7)
    );
    connection.execute_unprepared(&sql).await.expect("an attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_partition_of_each_coming_day_and_processes_at_once_make_it_once() {
    let Some((database, store)) = database().await else { return };
    let stores = [database.store().await, database.store().await, store];
    let made = stores.map(|store| tokio::spawn(async move { store.make_partitions(now()).await.expect("partitions") }));
    let mut names = Vec::new();
    for made in made {
        let made = made.await.expect("no panic");
        assert_eq!((made.refused.len(), made.in_default.iter().map(|(_, rows)| rows).sum::<u64>()), (0, 0));
        names.extend(made.made);
    }
    names.sort_unstable();
    let expected = [
        "events_1000001_2000000",
        "webhook_attempts_20261123",
        "webhook_attempts_20261124",
        "webhook_attempts_20261125",
        "webhook_deliveries_20261123",
        "webhook_deliveries_20261124",
        "webhook_deliveries_20261125",
    ];
    assert_eq!(names, expected);
    let there = partitions(&database.look().await).await;
    assert!(expected.iter().all(|name| there.iter().any(|there| there == name)), "{there:?}");
    assert_eq!(database.count("pg_indexes WHERE tablename = 'webhook_deliveries_20261123'").await, 6);
}

#[tokio::test]
async fn rows_of_a_day_without_a_partition_are_kept_and_reported() {
    let Some((database, store)) = database().await else { return };
    let connection = database.look().await;
    attempt(&connection, 1, "2026-11-23T09:00:00Z").await;
    let report = store.make_partitions(now()).await.expect("partitions");
    assert_eq!(report.refused, ["webhook_attempts_20261123"]);
    assert!(report.in_default.contains(&("webhook_attempts", 1)), "{report:?}");
    attempt(&connection, 2, "2026-11-24T09:00:00Z").await;
    assert_eq!(database.count("webhook_attempts_20261124").await, 1, "the days after have one");
    let later = now() + TimeDelta::days(5);
    while store.prune_stray_attempts(later).await.expect("a batch") {}
    assert_eq!((database.count("webhook_attempts_default").await, database.count("webhook_attempts").await), (0, 1));
}

#[tokio::test]
async fn a_day_is_dropped_once_it_is_over_with_what_an_earlier_run_has_only_detached() {
    let Some((database, store)) = database().await else { return };
    store.make_partitions(now()).await.expect("partitions");
    let connection = database.look().await;
    attempt(&connection, 1, "2026-11-23T09:00:00Z").await;
    attempt(&connection, 2, "2026-11-24T09:00:00Z").await;
    assert_eq!(store.drop_days(now()).await.expect("none"), 0, "the day is not over");
    let detach = "ALTER TABLE webhook_attempts DETACH PARTITION webhook_attempts_20261123";
    connection.execute_unprepared(detach).await.expect("as a run that was killed leaves it");
    assert_eq!(store.drop_days(now() + TimeDelta::days(1)).await.expect("a day"), 2);
    assert_eq!(database.count("webhook_attempts").await, 1);
    assert_eq!(database.count("pg_class WHERE relname LIKE '%20261123'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_pass_a_drop_that_waits_for_the_table() {
    let Some((database, store)) = database().await else { return };
    store.make_partitions(now()).await.expect("partitions");
    let (reader, writer) = (database.look().await, database.look().await);
    reader.execute_unprepared("BEGIN; SELECT COUNT(*) FROM webhook_attempts").await.expect("a long read");
    let dropping = tokio::spawn(async move { store.drop_days(now() + TimeDelta::days(1)).await });
    let waits = "pg_locks JOIN pg_database ON pg_database.oid = database \
                 WHERE NOT granted AND mode = 'AccessExclusiveLock' AND datname = current_database()";
    while database.count(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    // It queues up behind the drop, which waits for the reader.
    attempt(&writer, 1, "2026-11-24T09:00:00Z").await;
    assert!(!dropping.is_finished(), "the drop has not got the table, and tries again");
    reader.execute_unprepared("COMMIT").await.expect("the end of the read");
    assert_eq!(dropping.await.expect("no panic").expect("a drop"), 2);
}

#[tokio::test]
async fn blocks_of_events_are_made_ahead_of_the_positions_by_their_rate() {
    let Some((database, store)) = database().await else { return };
    store.make_partitions(now()).await.expect("partitions");
    let connection = database.look().await;
    let event = |position: u64, at: &str| {
        format!(
            "INSERT INTO events (client_id, position, id, user_id, kind, sequence, payload, created_at) \
             VALUES ('{0}', {position}, gen_random_uuid(), '{0}', 'user.created', 1, '{{}}', '{at}')",
            uuid::Uuid::from_u128(7)
        )
    };
    connection.execute_unprepared(&event(1_000_001, "2026-11-22T10:00:00Z")).await.expect("an event");
    connection.execute_unprepared("UPDATE event_cursors SET position = 1500000").await.expect("positions");
    // Half a million in a day: a week brings three and a half million.
    let made = store.make_partitions(now()).await.expect("partitions").made;
    assert_eq!(made, ["events_2000001_6000000", "events_6000001_10000000"]);
    assert_eq!(store.make_partitions(now()).await.expect("partitions").made, Vec::<String>::new());
    // The job did not run for long: events beyond every block go to the net, and the next block is far ahead of them.
    connection.execute_unprepared(&event(10_000_005, "2026-11-23T10:00:00Z")).await.expect("an event");
    connection.execute_unprepared("UPDATE event_cursors SET position = 10000005").await.expect("positions");
    let report = store.make_partitions(now()).await.expect("partitions");
    assert!(report.made[0].starts_with("events_11000005_"), "{report:?}");
    assert!(report.in_default.contains(&("events", 1)), "{report:?}");
    assert_eq!(store.drop_event_blocks(1_999_999).await.expect("a block"), 1);
    assert_eq!(database.count("events").await, 2, "the block that is not over stays");
}

#[tokio::test]
async fn sqlite_has_the_tables_without_partitions() {
    if engine() == Engine::Postgres {
        return;
    }
    let store = TestDatabase::migrated().await.store().await;
    assert_eq!(store.make_partitions(now()).await.expect("nothing"), kira_users::store::Partitions::default());
    assert_eq!((store.drop_days(now()).await.ok(), store.drop_event_blocks(9).await.ok()), (Some(0), Some(0)));
}
