//! How many users a client has, of each kind and status, without counting them.
//!
//! A change inserts what it changes, a row of its own, so that no two requests wait for each other. A job adds these rows to
//! the sums: of all times, of each day and of each hour of creation. A total is the sums and the rows that wait, read in one
//! statement, plus the users of the hours that a range of times cuts, which are counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use entity::{user_count, user_count_change};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, Statement};
use tracing::instrument;
use uuid::Uuid;

use super::rows::{MOST_COUNTED, with_keys};
use super::user_lists::created_millis;
use super::{IdRange, Store, StoreError, Transaction, UserFilter, first_id_at, in_transaction};

/// The sums of all times, of a day and of an hour, in seconds.
const SPANS: [i64; 3] = [0, DAY, HOUR];
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// How many rows one transaction adds up.
const BATCH: u64 = 1_000;
/// How many transactions one call runs at most; the next call goes on.
const ROUNDS: usize = 100;

/// What users become, to be counted together: of one client, hour of creation and kind, from one status to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CountChange {
    pub(super) client_id: Uuid,
    pub(super) hour: i64,
    pub(super) kind: &'static str,
    /// None: they are new.
    pub(super) before: Option<&'static str>,
    pub(super) after: &'static str,
}

impl CountChange {
    pub(super) fn of(
        (client_id, user_id): (Uuid, Uuid),
        kind: &'static str,
        before: Option<&'static str>,
        after: &'static str,
    ) -> Self {
        let hour = (created_millis(user_id) / 1_000).div_euclid(HOUR) * HOUR;
        Self { client_id, hour, kind, before, after }
    }

    /// The row of `users` that do this. `id` is like no other of the client's.
    pub(super) fn into_row(self, id: Uuid, users: i64) -> user_count_change::ActiveModel {
        user_count_change::ActiveModel {
            client_id: Set(self.client_id),
            id: Set(id),
            hour: Set(self.hour),
            kind: Set(self.kind.to_owned()),
            before: Set(self.before.map(str::to_owned)),
            after: Set(self.after.to_owned()),
            users: Set(users),
        }
    }

    /// Writes that one user does this, if its status changes.
    pub(super) async fn write(self, transaction: &Transaction, id: Uuid) -> Result<(), StoreError> {
        if self.before != Some(self.after) {
            user_count_change::Entity::insert(self.into_row(id, 1)).exec_without_returning(transaction).await?;
        }
        Ok(())
    }
}

/// A range of whole hours; without an end where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from: Option<i64>,
    before: Option<i64>,
}

impl Hours {
    /// The condition on a column of seconds.
    fn condition(self, column: &str) -> String {
        let from = self.from.map(|from| format!(" AND \"{column}\" >= {from}")).unwrap_or_default();
        let before = self.before.map(|before| format!(" AND \"{column}\" < {before}")).unwrap_or_default();
        format!("{from}{before}")
    }

    /// The sums that make it up, the largest possible: each a span and the range of its starts.
    fn sums(self) -> Vec<(i64, Hours)> {
        if self.from.is_none() && self.before.is_none() {
            return vec![(0, self)];
        }
        let first_day =
            self.from.map(|from| from.div_euclid(DAY) * DAY + if from.rem_euclid(DAY) > 0 { DAY } else { 0 });
        let last_day = self.before.map(|before| before.div_euclid(DAY) * DAY);
        if let (Some(first), Some(last)) = (first_day, last_day)
            && first >= last
        {
            return vec![(HOUR, self)];
        }
        let days = (DAY, Hours { from: first_day, before: last_day });
        let head = self.from.map(|from| (HOUR, Hours { from: Some(from), before: first_day }));
        let tail = self.before.map(|before| (HOUR, Hours { from: last_day, before: Some(before) }));
        [Some(days), head, tail]
            .into_iter()
            .flatten()
            .filter(|(_, hours)| hours.from.is_none() || hours.from != hours.before)
            .collect()
    }
}

/// A range of times, split: the whole hours within, and the ranges of the cut hours at its ends.
fn split(from: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>) -> (Option<Hours>, Vec<IdRange>) {
    let hour_of = |time: DateTime<Utc>| time.timestamp().div_euclid(HOUR) * HOUR;
    let id_at = |second: i64| DateTime::from_timestamp(second, 0).map(first_id_at);
    let is_cut = |time: DateTime<Utc>| time.timestamp_millis() != hour_of(time) * 1_000;
    let first = from.map(|from| hour_of(from) + if is_cut(from) { HOUR } else { 0 });
    let last = before.map(hour_of);
    if let (Some(first), Some(last)) = (first, last)
        && first >= last
    {
        return (None, vec![IdRange { from: from.map(first_id_at), before: before.map(first_id_at) }]);
    }
    let head = from
        .filter(|from| is_cut(*from))
        .map(|from| IdRange { from: Some(first_id_at(from)), before: first.and_then(id_at) });
    let tail = before
        .filter(|before| is_cut(*before))
        .map(|before| IdRange { from: last.and_then(id_at), before: Some(first_id_at(before)) });
    (Some(Hours { from: first, before: last }), head.into_iter().chain(tail).collect())
}

/// A list of texts of this program's own as SQL.
fn list(texts: &[&'static str]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| format!("'{text}'")).collect();
    quoted.join(", ")
}

impl Store {
    /// How many users of a client pass the filter and were created from `from` on and before `before`, to the millisecond.
    /// Exact, but for hours that the range cuts: of each, 10,000 users at most are counted.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn count_users(
        &self,
        client_id: Uuid,
        filter: &UserFilter,
        from: Option<DateTime<Utc>>,
        before: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        let (hours, cut) = split(from, before);
        let mut total = match hours {
            Some(hours) => self.sum_counts(client_id, filter, hours).await?,
            None => 0,
        };
        for range in cut {
            total += self.count_range(client_id, filter, range, MOST_COUNTED).await?;
        }
        Ok(total)
    }

    async fn sum_counts(&self, client_id: Uuid, filter: &UserFilter, hours: Hours) -> Result<u64, StoreError> {
        let (kinds, statuses) = (list(&filter.kinds_or_all()), list(&filter.statuses_or_all()));
        // The rows that wait come and the sums grow in one transaction, and one statement sees it done or not.
        let mut sql = format!(
            r#"SELECT CAST(COALESCE(SUM("users"), 0) AS bigint) FROM (SELECT
                CASE WHEN "after" IN ({statuses}) THEN "users" ELSE 0 END -
                CASE WHEN "before" IN ({statuses}) THEN "users" ELSE 0 END AS "users" FROM "user_count_changes"
                WHERE "client_id" = $1 AND "kind" IN ({kinds}){}"#,
            hours.condition("hour")
        );
        for (span, starts) in hours.sums() {
            // Writing to a text cannot fail.
            let _ = write!(
                sql,
                r#" UNION ALL SELECT "users" FROM "user_counts" WHERE "client_id" = $1 AND "span" = {span}{}
                AND "kind" IN ({kinds}) AND "status" IN ({statuses})"#,
                starts.condition("start")
            );
        }
        sql.push_str(r#") AS "counted""#);
        let read = self.read();
        let statement = Statement::from_sql_and_values(read.get_database_backend(), sql, [client_id.into()]);
        let row = read.query_one_raw(statement).await?.ok_or_else(|| StoreError::corrupt("a sum of counts"))?;
        Ok(u64::try_from(row.try_get_by_index::<i64>(0)?).unwrap_or_default())
    }

    /// Adds the changes that wait to the sums; returns how many it added. Several processes may do so at once.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn fold_user_counts(&self) -> Result<u64, StoreError> {
        use user_count_change::Column::{ClientId, Id};
        let mut folded = 0;
        for _ in 0..ROUNDS {
            // Without a transaction: mostly there is nothing.
            let waiting = user_count_change::Entity::find().select_only().column(Id);
            let waiting = waiting.order_by_asc(ClientId).order_by_asc(Id).into_tuple::<Uuid>();
            if waiting.one(&self.read()).await?.is_none() {
                break;
            }
            let added: Result<_, StoreError> = in_transaction!(self, |transaction| fold_batch(transaction).await);
            let added = added?;
            folded += added;
            if added < BATCH {
                break;
            }
        }
        Ok(folded)
    }
}

async fn fold_batch(transaction: &Transaction) -> Result<u64, StoreError> {
    use user_count_change::Column::{ClientId, Id};
    let rows = user_count_change::Entity::find()
        .order_by_asc(ClientId)
        .order_by_asc(Id)
        .limit(BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(transaction)
        .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    // In the order of the key, so that two processes never wait for each other.
    let mut sums: BTreeMap<(Uuid, i64, i64, &str, &str), i64> = BTreeMap::new();
    for row in &rows {
        let mut add = |status, users| {
            for span in SPANS {
                let start = if span == 0 { 0 } else { row.hour.div_euclid(span) * span };
                *sums.entry((row.client_id, span, start, &row.kind, status)).or_default() += users;
            }
        };
        add(row.after.as_str(), row.users);
        if let Some(before) = &row.before {
            add(before, -row.users);
        }
    }
    let sums = sums.into_iter().filter(|(_, users)| *users != 0);
    let sums = sums.map(|((client_id, span, start, kind, status), users)| user_count::ActiveModel {
        client_id: Set(client_id),
        span: Set(span),
        start: Set(start),
        kind: Set(kind.to_owned()),
        status: Set(status.to_owned()),
        users: Set(users),
    });
    let sums: Vec<_> = sums.collect();
    for some in sums.chunks(BATCH as usize) {
        use user_count::Column::{ClientId, Kind, Span, Start, Status, Users};
        let sum = Expr::col((user_count::Entity, Users)).add(Expr::cust("excluded.\"users\""));
        let added = OnConflict::columns([ClientId, Span, Start, Kind, Status]).value(Users, sum).to_owned();
        user_count::Entity::insert_many(some.to_vec()).on_conflict(added).exec_without_returning(transaction).await?;
    }
    let keys = rows.iter().map(|row| (row.client_id, row.id));
    user_count_change::Entity::delete_many().filter(with_keys(ClientId, Id, keys)).exec(transaction).await?;
    Ok(rows.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<DateTime<Utc>> {
        Some(text.parse().expect("a time"))
    }

    fn hours(from: Option<&str>, before: Option<&str>) -> Hours {
        let second = |text: &str| at(text).map(|time| time.timestamp());
        Hours { from: from.and_then(second), before: before.and_then(second) }
    }

    #[test]
    fn a_range_is_its_whole_hours_and_the_cut_ones_at_its_ends() {
        let (whole, cut) = split(at("2026-11-23T10:15:00Z"), at("2026-11-25T08:00:00.001Z"));
        assert_eq!(whole, Some(hours(Some("2026-11-23T11:00:00Z"), Some("2026-11-25T08:00:00Z"))));
        let id = |text| at(text).map(first_id_at);
        assert_eq!(
            cut,
            [
                IdRange { from: id("2026-11-23T10:15:00Z"), before: id("2026-11-23T11:00:00Z") },
                IdRange { from: id("2026-11-25T08:00:00Z"), before: id("2026-11-25T08:00:00.001Z") },
            ]
        );
    }

    #[test]
    fn a_range_of_whole_hours_cuts_none_and_a_short_one_has_none() {
        let (whole, cut) = split(at("2026-11-23T10:00:00Z"), None);
        assert_eq!((whole, cut), (Some(hours(Some("2026-11-23T10:00:00Z"), None)), Vec::new()));
        assert_eq!(split(None, None), (Some(Hours { from: None, before: None }), Vec::new()));
        let (whole, cut) = split(at("2026-11-23T10:15:00Z"), at("2026-11-23T11:10:00Z"));
        assert_eq!((whole, cut.len()), (None, 1));
    }

    #[test]
    fn whole_days_are_summed_as_days() {
        let range = hours(Some("2026-11-23T11:00:00Z"), Some("2026-11-26T08:00:00Z"));
        assert_eq!(
            range.sums(),
            [
                (DAY, hours(Some("2026-11-24T00:00:00Z"), Some("2026-11-26T00:00:00Z"))),
                (HOUR, hours(Some("2026-11-23T11:00:00Z"), Some("2026-11-24T00:00:00Z"))),
                (HOUR, hours(Some("2026-11-26T00:00:00Z"), Some("2026-11-26T08:00:00Z"))),
            ]
        );
        let short = hours(Some("2026-11-23T11:00:00Z"), Some("2026-11-23T13:00:00Z"));
        assert_eq!(short.sums(), [(HOUR, short)]);
        let open = hours(Some("2026-11-24T00:00:00Z"), None);
        assert_eq!(open.sums(), [(DAY, open)]);
        let until = hours(None, Some("2026-11-24T01:00:00Z"));
        assert_eq!(
            until.sums(),
            [
                (DAY, hours(None, Some("2026-11-24T00:00:00Z"))),
                (HOUR, hours(Some("2026-11-24T00:00:00Z"), Some("2026-11-24T01:00:00Z"))),
            ]
        );
    }
}
