//! The partitions of PostgreSQL: deliveries and attempts of each day, and blocks of the history of events.
//!
//! They are made ahead and dropped when they are old. Rows that no partition takes go to a default partition, which is a
//! net: it is reported, since a partition cannot be made any more for what it holds. SQLite has none of this.
//!
//! Making one locks the default partition, dropping one locks the table, for a moment: each waits for its lock a second at
//! most, lets the requests pass that have queued up behind it, and tries again. `DETACH … CONCURRENTLY` is refused beside a
//! default partition.

use std::time::Duration;

use chrono::{DateTime, DurationRound as _, NaiveDate, TimeDelta, Utc};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement, TryGetable};
use tracing::instrument;

use super::events::ASSIGNED;
use super::schema::AdvisoryLock;
use super::{Store, StoreError, Transaction, in_transaction};

/// How many days ahead there are partitions, besides today's.
const DAYS_AHEAD: i64 = 2;
/// Events of the smallest block, and of the largest.
const SMALLEST_BLOCK: i64 = 1_000_000;
const LARGEST_BLOCK: i64 = 128 * SMALLEST_BLOCK;
/// How many empty blocks there are ahead: a block must not fill up between two rounds of the job.
const BLOCKS_AHEAD: usize = 2;
/// For how long a block lasts at the present rate.
const BLOCK_TIME: TimeDelta = TimeDelta::days(7);
/// How long a change of partitions waits for its locks, how often it tries again, and the pause before.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(500);
/// How far the rows of a default partition are counted.
const MOST_COUNTED: i64 = 10_000;
/// Attempts that one statement deletes.
const BATCH: u64 = 1_000;

/// A table with a partition for each day.
#[derive(Clone, Copy, Debug)]
struct Daily {
    /// The table that is partitioned by day.
    table: &'static str,
    /// What the names of the partitions begin with.
    prefix: &'static str,
    /// The primary key of a partition.
    key: &'static str,
}

const DAILY: [Daily; 2] = [
    Daily { table: "webhook_deliveries_finished", prefix: "webhook_deliveries_", key: "client_id, id" },
    Daily { table: "webhook_attempts", prefix: "webhook_attempts_", key: "client_id, delivery_id, number" },
];
/// The default partitions, by the names of their tables.
const DEFAULTS: [&str; 3] = ["events", "webhook_deliveries", "webhook_attempts"];

/// The partitions after a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partitions {
    /// Those that were made.
    pub made: Vec<String>,
    /// Those that could not be made, because the default partition holds rows of theirs.
    pub refused: Vec<String>,
    /// The tables, with the rows in their default partitions; counted up to ten thousand.
    pub in_default: Vec<(&'static str, u64)>,
}

/// A block of the history of events, by its first and its last position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    first: i64,
    last: i64,
}

impl Block {
    fn of(name: &str) -> Option<Self> {
        let (first, last) = name.strip_prefix("events_")?.split_once('_')?;
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
    }

    fn name(self) -> String {
        format!("events_{}_{}", self.first, self.last)
    }

    fn size(self) -> i64 {
        self.last - self.first + 1
    }
}

impl Daily {
    fn name(self, day: NaiveDate) -> String {
        format!("{}{}", self.prefix, day.format("%Y%m%d"))
    }

    /// The day of a partition of this name.
    fn day(self, name: &str) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(name.strip_prefix(self.prefix)?, "%Y%m%d").ok()
    }

    fn make(self, day: NaiveDate) -> String {
        let (name, table, key) = (self.name(day), self.table, self.key);
        let next = day.succ_opt().unwrap_or(day);
        // Attached, not made as a partition: that would lock the table.
        format!(
            "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY ({key})); \
             ALTER TABLE {table} ATTACH PARTITION {name} \
             FOR VALUES FROM ('{day} 00:00:00+00') TO ('{next} 00:00:00+00')"
        )
    }
}

fn make_block(block: Block) -> String {
    let (name, Block { first, last }) = (block.name(), block);
    format!(
        "CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS); \
         ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({})",
        last + 1
    )
}

/// The start of the day of `at`, in UTC.
pub(super) fn day_of(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for times outside the years 1677 to 2262, which no clock shows.
    at.duration_trunc(TimeDelta::days(1)).unwrap_or(at)
}

impl Store {
    /// Makes the partitions of today and of the next days, and the next blocks of events. Several processes may call it at
    /// once. Does nothing where tables have none.
    ///
    /// # Errors
    /// `Unavailable` without the database, or where a table is in use for too long; what was made stays.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn make_partitions(&self, now: DateTime<Utc>) -> Result<Partitions, StoreError> {
        let mut report = Partitions::default();
        if !self.is_partitioned() {
            return Ok(report);
        }
        for daily in DAILY {
            let there = self.partitions_of(daily.table).await?;
            let days = (0..=DAYS_AHEAD).filter_map(|ahead| Some((now + TimeDelta::try_days(ahead)?).date_naive()));
            for day in days.filter(|day| !there.contains(&daily.name(*day))) {
                self.make(daily.name(day), &daily.make(day), &mut report).await?;
            }
        }
        self.make_blocks(now, &mut report).await?;
        for table in DEFAULTS {
            let count = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table}_default LIMIT {MOST_COUNTED}) AS counted");
            let rows: Option<i64> = self.number(&count).await?;
            report.in_default.push((table, rows.unwrap_or_default().unsigned_abs()));
        }
        Ok(report)
    }

    async fn make_blocks(&self, now: DateTime<Utc>, report: &mut Partitions) -> Result<(), StoreError> {
        let mut blocks = self.blocks().await?;
        let assigned = self.event_cursor(ASSIGNED).await?;
        let net: Option<i64> = self.number("SELECT MAX(position) FROM events_default").await?;
        while blocks.iter().filter(|block| block.first > Ord::max(assigned, net.unwrap_or_default())).count()
            < BLOCKS_AHEAD
        {
            let top = blocks.last().map_or(0, |block| block.last);
            let first = match net {
                // Events go to the default partition right now: far enough ahead of them.
                Some(net) if net > top => net + SMALLEST_BLOCK,
                _ => top + 1,
            };
            let block = Block { first, last: first + self.block_size(&blocks, assigned, now).await? - 1 };
            self.make(block.name(), &make_block(block), report).await?;
            blocks.push(block);
        }
        Ok(())
    }

    /// The size of the next block: what a week brings at the rate of the block that fills now.
    async fn block_size(&self, blocks: &[Block], assigned: i64, now: DateTime<Utc>) -> Result<i64, StoreError> {
        let before = blocks.last().map_or(SMALLEST_BLOCK, |block| block.size());
        let Some(current) = blocks.iter().find(|block| (block.first..=block.last).contains(&assigned)) else {
            return Ok(before);
        };
        let first = format!("SELECT created_at FROM {} ORDER BY position LIMIT 1", current.name());
        let Some(begun) = self.number::<DateTime<Utc>>(&first).await? else { return Ok(before) };
        let (seconds, events) = ((now - begun).num_seconds().max(1), assigned - current.first + 1);
        let week = events.saturating_mul(BLOCK_TIME.num_seconds()) / seconds;
        let blocks = week.div_euclid(SMALLEST_BLOCK) + 1;
        Ok((blocks * SMALLEST_BLOCK).clamp(SMALLEST_BLOCK, LARGEST_BLOCK))
    }

    /// Makes one partition, unless another process has.
    async fn make(&self, name: String, sql: &str, report: &mut Partitions) -> Result<(), StoreError> {
        match self.change(&name, Condition::Missing, sql).await {
            Ok(true) => report.made.push(name),
            Ok(false) => {}
            Err(error) if error.is_row_in_default() => report.refused.push(name),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Drops the partitions of days that end before `before`, with the records in them. Returns how many.
    ///
    /// # Errors
    /// `Unavailable` without the database, or where a table is in use for too long; the next call drops the rest.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn drop_days(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        if !self.is_partitioned() {
            return Ok(0);
        }
        let (mut dropped, before) = (0, day_of(before).date_naive());
        for daily in DAILY {
            let is_old = |name: &String| daily.day(name).is_some_and(|day| day < before);
            for name in self.tables_like(daily.prefix).await?.into_iter().filter(is_old) {
                dropped += u64::from(self.drop_partition(daily.table, &name).await?);
            }
        }
        Ok(dropped)
    }

    /// Until when records go whose retention ends at `before`: whole days do where tables are partitioned.
    #[must_use]
    pub fn retention_end(&self, before: DateTime<Utc>) -> DateTime<Utc> {
        if self.is_partitioned() { day_of(before) } else { before }
    }

    /// Deletes up to a batch of attempts before `before` that were written while their day had no partition.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn prune_stray_attempts(&self, before: DateTime<Utc>) -> Result<bool, StoreError> {
        if !self.is_partitioned() {
            return Ok(false);
        }
        let sql = format!(
            "DELETE FROM webhook_attempts_default WHERE ctid = ANY(ARRAY( \
             SELECT ctid FROM webhook_attempts_default WHERE started_at < $1 LIMIT {BATCH}))"
        );
        let database = self.write();
        let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, [before.into()]);
        Ok(database.execute_raw(statement).await?.rows_affected() == BATCH)
    }

    /// Drops the blocks of events that end at `position` or before. Returns how many.
    ///
    /// # Errors
    /// `Unavailable` without the database, or where the table is in use for too long; the next call drops the rest.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn drop_event_blocks(&self, position: i64) -> Result<u64, StoreError> {
        if !self.is_partitioned() {
            return Ok(0);
        }
        let mut dropped = 0;
        for name in self.tables_like("events_").await? {
            if Block::of(&name).is_some_and(|block| block.last <= position) {
                dropped += u64::from(self.drop_partition("events", &name).await?);
            }
        }
        Ok(dropped)
    }

    /// Detaches a partition and drops it: the drop may take a while, and no statement waits for it. One
    /// that an earlier call has only detached is dropped.
    async fn drop_partition(&self, table: &'static str, name: &str) -> Result<bool, StoreError> {
        let detach = format!("ALTER TABLE {table} DETACH PARTITION {name}");
        self.change(name, Condition::Attached, &detach).await?;
        self.change(name, Condition::Detached, &format!("DROP TABLE {name}")).await
    }

    /// Changes a partition, where the condition holds: one process at a time, and again while a table is in use. Whether
    /// it did.
    async fn change(&self, name: &str, condition: Condition, sql: &str) -> Result<bool, StoreError> {
        let limit = format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis());
        let mut tries = 1;
        loop {
            let outcome = in_transaction!(self, |transaction| {
                transaction.execute_unprepared(&limit).await?;
                self.advisory_lock(transaction, AdvisoryLock::Partitions).await?;
                let holds = condition.holds(transaction, name).await?;
                if holds {
                    transaction.execute_unprepared(sql).await?;
                }
                Ok::<_, StoreError>(holds)
            });
            match outcome {
                Err(error) if tries < LOCK_TRIES && StoreError::is_lock_trouble(&error) => {
                    tries += 1;
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn partitions_of(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
             WHERE inhparent = '{table}'::regclass ORDER BY relname"
        );
        self.names(&sql).await
    }

    /// The tables of this schema whose names begin so, partitions or not.
    async fn tables_like(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE '{}%' \
             AND pg_table_is_visible(pg_class.oid) ORDER BY relname",
            prefix.replace('_', "\\_")
        );
        self.names(&sql).await
    }

    /// The blocks of events, the lowest first.
    async fn blocks(&self) -> Result<Vec<Block>, StoreError> {
        let names = self.partitions_of("events").await?;
        let mut blocks: Vec<_> = names.iter().filter_map(|name| Block::of(name)).collect();
        blocks.sort_unstable();
        Ok(blocks)
    }

    async fn names(&self, sql: &str) -> Result<Vec<String>, StoreError> {
        let database = self.read();
        let rows = database.query_all_raw(Statement::from_string(database.get_database_backend(), sql)).await?;
        rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
    }

    /// The value of a statement of one row; none: there is no row, or it is empty.
    async fn number<T: TryGetable>(&self, sql: &str) -> Result<Option<T>, StoreError> {
        let database = self.read();
        let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await?;
        let value = |row: QueryResult| Ok(row.try_get_by_index::<Option<T>>(0)?);
        row.map_or(Ok(None), value)
    }
}

/// What a table must be for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Missing,
    Attached,
    Detached,
}

impl Condition {
    async fn holds(self, transaction: &Transaction, name: &str) -> Result<bool, StoreError> {
        let sql = format!("SELECT relispartition FROM pg_class WHERE oid = to_regclass('{name}')");
        let statement = Statement::from_string(transaction.get_database_backend(), sql);
        let row = transaction.query_one_raw(statement).await?;
        let is_partition = row.map(|row| row.try_get_by_index::<bool>(0)).transpose()?;
        Ok(match self {
            Self::Missing => is_partition.is_none(),
            Self::Attached => is_partition == Some(true),
            Self::Detached => is_partition == Some(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_partition_says_what_is_in_it() {
        let block = Block { first: 1, last: 1_000_000 };
        assert_eq!(block.name(), "events_1_1000000");
        assert_eq!(Block::of(&block.name()), Some(block));
        assert_eq!((Block::of("events_default"), Block::of("event_cursors")), (None, None));
        let day = NaiveDate::from_ymd_opt(2026, 11, 28).expect("a day");
        let [deliveries, attempts] = DAILY;
        assert_eq!(deliveries.name(day), "webhook_deliveries_20261128");
        assert_eq!(deliveries.day("webhook_deliveries_20261128"), Some(day));
        for other in ["webhook_deliveries_default", "webhook_deliveries_pending", "webhook_attempts_20261128"] {
            assert_eq!(deliveries.day(other), None, "{other}");
        }
        assert_eq!(attempts.day("webhook_attempts_20261128"), Some(day));
    }
}
