//! How far the events are archived, and the end of those that are.
//!
//! The archive takes whole days, in the order of positions: the events from the first that is not archived to the last
//! before the first of a later day. So the same run, repeated after it was killed, writes the same files. Rows go only
//! when a commit has said that their files are durable.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{event, event_archive, event_cursor};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::events::{ASSIGNED, advance_cursor, lock_cursor};
use super::partitions::day_of;
use super::{Store, StoreError, in_transaction};

/// The cursor of the last event that is archived.
pub(super) const ARCHIVED: &str = "archived";
/// Events that one statement deletes.
const BATCH: i64 = 1_000;

/// The events of a day that are archived together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSegment {
    /// The first position.
    pub first: i64,
    /// The last position.
    pub last: i64,
    /// The start of the day, in UTC.
    pub day: DateTime<Utc>,
}

/// How far the events of a client are archived.
pub type ArchiveHead = event_archive::Model;

impl ArchiveSegment {
    /// The end of its day: the events of later ones are still stored.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        self.day + TimeDelta::days(1)
    }
}

impl Store {
    /// The next events to archive, of one day that ended before `before`. None: there are none, or a reader of the history
    /// (the relay of webhooks) has not passed them.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn next_archive_segment(&self, before: DateTime<Utc>) -> Result<Option<ArchiveSegment>, StoreError> {
        let first = self.event_cursor(ARCHIVED).await? + 1;
        let passed = self.passed_by_all().await?;
        if passed < first {
            return Ok(None);
        }
        let day = day_of(self.time_of(first).await?);
        let segment = ArchiveSegment { first, last: passed, day };
        if segment.end() > before {
            return Ok(None);
        }
        if self.time_of(passed).await? < segment.end() {
            // The day may go on behind what a reader has not passed.
            let is_all = passed == self.event_cursor(ASSIGNED).await?;
            return Ok(is_all.then_some(segment));
        }
        // The first is of the day, the one at `later` is not; positions have no gaps.
        let (mut last, mut later) = (first, passed);
        while later - last > 1 {
            let middle = last + (later - last) / 2;
            if self.time_of(middle).await? < segment.end() { last = middle } else { later = middle }
        }
        Ok(Some(ArchiveSegment { last, ..segment }))
    }

    /// The position that all readers of the history have passed.
    async fn passed_by_all(&self) -> Result<i64, StoreError> {
        let cursors = event_cursor::Entity::find().filter(event_cursor::Column::Name.ne(ARCHIVED));
        let cursors = cursors.all(&self.read()).await?;
        Ok(cursors.into_iter().map(|cursor| cursor.position).min().unwrap_or_default())
    }

    async fn time_of(&self, position: i64) -> Result<DateTime<Utc>, StoreError> {
        let event = event::Entity::find()
            .select_only()
            .column(event::Column::CreatedAt)
            .filter(event::Column::Position.eq(position))
            .into_tuple::<DateTime<Utc>>();
        event.one(&self.read()).await?.ok_or_else(|| StoreError::corrupt("the order of events"))
    }

    /// Records that the events of a segment are archived; `heads` has the clients that had some. False: another process
    /// has done it.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn finish_archive_segment(
        &self,
        segment: ArchiveSegment,
        heads: Vec<ArchiveHead>,
    ) -> Result<bool, StoreError> {
        use event_archive::Column::{ClientId, Digest, LastEventId, LastPosition, StoredFrom};
        in_transaction!(self, |transaction| {
            if lock_cursor(transaction, ARCHIVED).await? != segment.first - 1 {
                return Ok::<_, StoreError>(false);
            }
            for head in heads.clone() {
                let again = OnConflict::column(ClientId)
                    .update_columns([LastPosition, LastEventId, StoredFrom, Digest])
                    .to_owned();
                event_archive::Entity::insert(head.into_active_model())
                    .on_conflict(again)
                    .exec_without_returning(transaction)
                    .await?;
            }
            advance_cursor(transaction, ARCHIVED, segment.last).await?;
            Ok(true)
        })
    }

    /// How far the events of a client are archived. None: none of them is.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn archive_of(&self, client_id: Uuid) -> Result<Option<ArchiveHead>, StoreError> {
        Ok(event_archive::Entity::find_by_id(client_id).one(&self.read()).await?)
    }

    /// Deletes the events that are archived: on PostgreSQL whole blocks, and what is left in batches.
    ///
    /// # Errors
    /// `Unavailable` without the database; the next call deletes the rest.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn delete_archived_events(&self) -> Result<(), StoreError> {
        use event::Column::Position;
        let archived = self.event_cursor(ARCHIVED).await?;
        self.drop_event_blocks(archived).await?;
        loop {
            let first = event::Entity::find().select_only().column(Position).order_by_asc(Position);
            let first = first.into_tuple::<i64>().one(&self.read()).await?;
            let Some(first) = first.filter(|first| *first <= archived) else { return Ok(()) };
            let last = Ord::min(archived, first + BATCH - 1);
            event::Entity::delete_many().filter(Position.between(first, last)).exec(&self.write()).await?;
        }
    }
}
