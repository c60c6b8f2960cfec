//! The queues, for operators.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::{Store, StoreError};

/// One queue at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// `events` (to be relayed), `verifications` or `webhooks`.
    pub name: &'static str,
    /// How much is due and not leased; counted up to ten thousand, of webhooks for each endpoint.
    pub depth: u64,
    /// For how long the oldest has been due; zero where nothing is.
    pub oldest_age: TimeDelta,
}

/// Each queue: how much is due at $1, and since when the oldest. What is under a lease is due when that ends. Webhooks to
/// endpoints that are paused or disabled are not counted.
const QUEUES: [(&str, &str, &str); 3] = [
    (
        "events",
        r#"SELECT 1 FROM "outbox" WHERE "created_at" <= $1 UNION ALL SELECT 1 FROM "events" WHERE "created_at" <= $1
            AND "position" > (SELECT "position" FROM "event_cursors" WHERE "name" = 'webhooks')"#,
        // The first of each, which their keys know.
        r#"SELECT MIN("created_at") FROM (SELECT "created_at" FROM
                (SELECT "created_at" FROM "outbox" ORDER BY "number" LIMIT 1) AS "o"
            UNION ALL SELECT "created_at" FROM (SELECT "created_at" FROM "events"
                WHERE "position" > (SELECT "position" FROM "event_cursors" WHERE "name" = 'webhooks')
                ORDER BY "position" LIMIT 1) AS "e") AS "first" WHERE "created_at" <= $1"#,
    ),
    (
        "verifications",
        r#"SELECT 1 FROM "jobs" WHERE "run_at" <= $1"#,
        r#"SELECT MIN("run_at") FROM "jobs" WHERE "run_at" <= $1"#,
    ),
    (
        "webhooks",
        // Of each endpoint, by its index.
        r#"SELECT 1 FROM "webhook_deliveries" AS "d" WHERE "d"."client_id" = "e"."client_id"
            AND "d"."endpoint_id" = "e"."id" AND "d"."state" = 'pending' AND "d"."next_at" <= $1"#,
        // The first of each endpoint, which its index knows.
        r#"SELECT MIN((SELECT "next_at" FROM "webhook_deliveries" AS "d" WHERE "d"."client_id" = "e"."client_id"
                AND "d"."endpoint_id" = "e"."id" AND "d"."state" = 'pending' AND "d"."next_at" <= $1 ORDER BY "d"."next_at" LIMIT 1))
            FROM "webhook_endpoints" AS "e" WHERE "deleted_at" IS NULL AND "disabled_at" IS NULL
                AND ("paused_until" IS NULL OR "paused_until" <= $1)"#,
    ),
];
/// The endpoints that are sent to.
const OPEN: &str =
    r#""deleted_at" IS NULL AND "disabled_at" IS NULL AND ("paused_until" IS NULL OR "paused_until" <= $1)"#;
/// The endpoints that fail, which the sender pauses for longer and longer: their deliveries are not due, and so in no queue.
const FAILING: &str = r#""failing_since" IS NOT NULL AND "deleted_at" IS NULL AND "disabled_at" IS NULL"#;
/// How far a queue, or the deliveries of one endpoint, are counted: more would cost more than it says.
const MOST: u32 = 10_000;

/// The webhook endpoints whose attempts all fail, at one moment; without those that are disabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailingEndpoints {
    /// How many there are.
    pub count: u64,
    /// For how long the first of them has failed; zero where none does.
    pub longest: TimeDelta,
    /// The deliveries that wait for them, due or not; counted up to ten thousand for each.
    pub waiting: u64,
}

impl Store {
    /// The webhook endpoints that fail now, and what waits for them.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn failing_endpoints(&self, now: DateTime<Utc>) -> Result<FailingEndpoints, StoreError> {
        let endpoints = format!(r#"SELECT COUNT(*), MIN("failing_since") FROM "webhook_endpoints" WHERE {FAILING}"#);
        let row = self.query_one(&endpoints).await?;
        let count: i64 = row.try_get_by_index(0)?;
        let since: Option<DateTime<Utc>> = row.try_get_by_index(1)?;
        let Some(since) = since else { return Ok(FailingEndpoints::default()) };
        let deliveries = format!(
            r#"SELECT COUNT(*) FROM (SELECT 1 FROM "webhook_deliveries" AS "d" WHERE "d"."client_id" = "e"."client_id"
                AND "d"."endpoint_id" = "e"."id" AND "d"."state" = 'pending' LIMIT {MOST}) AS "waiting""#
        );
        let deliveries = of_endpoints(&deliveries, FAILING);
        let waiting: i64 = self.query_one(&deliveries).await?.try_get_by_index(0)?;
        Ok(FailingEndpoints {
            count: u64::try_from(count).unwrap_or_default(),
            longest: (now - since).max(TimeDelta::zero()),
            waiting: u64::try_from(waiting).unwrap_or_default(),
        })
    }

    async fn query_one(&self, sql: &str) -> Result<QueryResult, StoreError> {
        let database = self.read();
        let statement = Statement::from_string(database.get_database_backend(), sql);
        database.query_one_raw(statement).await?.ok_or_else(|| StoreError::corrupt("a count"))
    }

    /// The state of every queue.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn queues(&self, now: DateTime<Utc>) -> Result<Vec<QueueState>, StoreError> {
        let database = &self.read();
        let mut states = Vec::with_capacity(QUEUES.len());
        for (name, due, oldest) in QUEUES {
            let due = format!(r#"SELECT COUNT(*) FROM ({due} LIMIT {MOST}) AS "due""#);
            let count = if name == "webhooks" { of_endpoints(&due, OPEN) } else { due };
            let ask = async |sql: &str| {
                let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, [now.into()]);
                database.query_one_raw(statement).await?.ok_or_else(|| StoreError::corrupt("a count"))
            };
            let depth: i64 = ask(&count).await?.try_get_by_index(0)?;
            let since: Option<DateTime<Utc>> = ask(oldest).await?.try_get_by_index(0)?;
            states.push(QueueState {
                name,
                depth: u64::try_from(depth).unwrap_or_default(),
                oldest_age: since.map_or(TimeDelta::zero(), |since| now - since),
            });
        }
        Ok(states)
    }
}

/// The sum of a count over the endpoints of a condition.
fn of_endpoints(count: &str, condition: &str) -> String {
    format!(r#"SELECT CAST(COALESCE(SUM(({count})), 0) AS BIGINT) FROM "webhook_endpoints" AS "e" WHERE {condition}"#)
}
