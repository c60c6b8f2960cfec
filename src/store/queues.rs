//! What waits, for those who operate the service.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Statement};

use super::{Store, StoreError};

/// One queue at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// `events` (to be relayed), `verifications` or `webhooks`.
    pub name: &'static str,
    /// How much is due and in nobody's hands; counted up to a hundred thousand.
    pub depth: u64,
    /// For how long the oldest has been due; zero where nothing is.
    pub oldest_age: TimeDelta,
}

/// Each queue: how much is due at $1, and since when the oldest. What is under a lease is due when that ends. Webhooks to
/// endpoints that are paused or disabled are their owners' matter.
const QUEUES: [(&str, &str, &str); 3] = [
    (
        "events",
        r#"SELECT 1 FROM "events" WHERE "relayed_at" IS NULL AND "created_at" <= $1"#,
        r#"SELECT MIN("created_at") FROM "events" WHERE "relayed_at" IS NULL AND "created_at" <= $1"#,
    ),
    (
        "verifications",
        r#"SELECT 1 FROM "jobs" WHERE "state" = 'queued' AND "run_at" <= $1"#,
        r#"SELECT MIN("run_at") FROM "jobs" WHERE "state" = 'queued' AND "run_at" <= $1"#,
    ),
    (
        "webhooks",
        r#"SELECT 1 FROM "webhook_deliveries" WHERE "state" = 'pending' AND "next_at" <= $1 AND "endpoint_id" IN
            (SELECT "id" FROM "webhook_endpoints" WHERE "deleted_at" IS NULL AND "disabled_at" IS NULL
                AND ("paused_until" IS NULL OR "paused_until" <= $1))"#,
        // The first of each endpoint, which its index knows.
        r#"SELECT MIN((SELECT "next_at" FROM "webhook_deliveries" AS "d" WHERE "d"."endpoint_id" = "e"."id"
                AND "d"."state" = 'pending' AND "d"."next_at" <= $1 ORDER BY "d"."next_at" LIMIT 1))
            FROM "webhook_endpoints" AS "e" WHERE "deleted_at" IS NULL AND "disabled_at" IS NULL
                AND ("paused_until" IS NULL OR "paused_until" <= $1)"#,
    ),
];
/// Counting further would cost more than it tells.
const MOST: u32 = 100_000;

impl Store {
    /// Every queue as it stands.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn queues(&self, now: DateTime<Utc>) -> Result<Vec<QueueState>, StoreError> {
        let database = &self.read();
        let mut states = Vec::with_capacity(QUEUES.len());
        for (name, due, oldest) in QUEUES {
            let count = format!(r#"SELECT COUNT(*) FROM ({due} LIMIT {MOST}) AS "due""#);
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
