//! What the relay to a broker reads and writes: the events of all clients in the order of their positions, the cursor of
//! each sink, and the events that its broker refused for good.
//!
//! A cursor is a row of `event_cursors`, so that the archive leaves what a sink has not published.

use chrono::{DateTime, Utc};
use entity::{event, event_cursor, sink_dead_letter};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set};
use serde_json::Value;
use tracing::instrument;
use uuid::Uuid;

use super::archives::ARCHIVED;
use super::events::{ASSIGNED, advance_cursor, lock_cursor};
use super::rows::count;
use super::{EventRecord, Store, StoreError, in_transaction};

/// What the names of the cursors of sinks begin with.
const PREFIX: &str = "sink ";

/// An event for all that may know of all clients.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkEvent {
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The event.
    pub event: EventRecord,
    /// The trace that it happened in, as a `traceparent`.
    pub trace_context: Option<String>,
}

/// Where a sink begins that has never run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkStart {
    /// At the oldest event that is stored here.
    Oldest,
    /// Behind the newest one.
    Now,
}

/// An event that a broker refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The position of the event.
    pub position: i64,
    /// The event.
    pub event_id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened.
    pub kind: String,
    /// The message.
    pub message: Value,
    /// What the broker said.
    pub reason: String,
    /// Whether it is to be published again.
    pub is_retried: bool,
    /// When the broker refused it last.
    pub refused_at: DateTime<Utc>,
}

/// How far a sink has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// The position of the last event that its broker has taken or refused for good.
    pub position: i64,
    /// How many events are behind that.
    pub lag: u64,
    /// When the first of those happened.
    pub oldest: Option<DateTime<Utc>>,
    /// How many events its broker refused for good, see [`super::MOST_COUNTED`].
    pub dead_letters: u64,
}

impl Store {
    /// Makes the cursor of a sink, if it has none.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn open_sink(&self, sink: &str, start: SinkStart) -> Result<(), StoreError> {
        self.assign_positions().await?;
        let position = self.event_cursor(match start {
            SinkStart::Oldest => ARCHIVED,
            SinkStart::Now => ASSIGNED,
        });
        let row = event_cursor::ActiveModel { name: Set(cursor(sink)), position: Set(position.await?) };
        let known = OnConflict::column(event_cursor::Column::Name).do_nothing().to_owned();
        event_cursor::Entity::insert(row).on_conflict(known).try_insert().exec_without_returning(&self.write()).await?;
        Ok(())
    }

    /// The position of the last event that a sink is done with.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn sink_position(&self, sink: &str) -> Result<i64, StoreError> {
        self.event_cursor(&cursor(sink)).await
    }

    /// Up to `limit` events of all clients behind a position, in the order of their positions.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn events_behind(&self, position: i64, limit: u64) -> Result<Vec<SinkEvent>, StoreError> {
        self.assign_positions().await?;
        let events = event::Entity::find()
            .filter(event::Column::Position.gt(position))
            .order_by_asc(event::Column::Position)
            .limit(limit)
            .all(&self.read())
            .await?;
        let split = |mut row: event::Model| SinkEvent {
            client_id: row.client_id,
            trace_context: row.trace_context.take(),
            event: row.into(),
        };
        Ok(events.into_iter().map(split).collect())
    }

    /// Advances a sink from one position to another, and stores what its broker refused for good in between. False: another
    /// process has advanced it, and nothing was written.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn advance_sink(
        &self,
        sink: &str,
        from: i64,
        to: i64,
        refused: Vec<DeadLetter>,
    ) -> Result<bool, StoreError> {
        let name = cursor(sink);
        in_transaction!(self, |transaction| {
            if lock_cursor(transaction, &name).await? != from {
                return Ok::<_, StoreError>(false);
            }
            let rows = refused.iter().cloned().map(|letter| letter.into_row(sink));
            let rows: Vec<_> = rows.map(IntoActiveModel::into_active_model).collect();
            if !rows.is_empty() {
                sink_dead_letter::Entity::insert_many(rows).exec_without_returning(transaction).await?;
            }
            advance_cursor(transaction, &name, to).await?;
            Ok(true)
        })
    }

    /// Up to `limit` events that the broker of a sink refused for good and that are to be published again, in the order of
    /// their positions.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn dead_letters_to_retry(&self, sink: &str, limit: u64) -> Result<Vec<DeadLetter>, StoreError> {
        use sink_dead_letter::Column::{IsRetried, Position, Sink};
        let letters = sink_dead_letter::Entity::find().filter(Sink.eq(sink)).filter(IsRetried.eq(true));
        let letters = letters.order_by_asc(Position).limit(limit).all(&self.read()).await?;
        Ok(letters.into_iter().map(DeadLetter::from).collect())
    }

    /// Up to `limit` events behind a position that the broker of a sink refused for good, in the order of their positions.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_dead_letters(&self, sink: &str, after: i64, limit: u64) -> Result<Vec<DeadLetter>, StoreError> {
        use sink_dead_letter::Column::{Position, Sink};
        let letters = sink_dead_letter::Entity::find().filter(Sink.eq(sink)).filter(Position.gt(after));
        let letters = letters.order_by_asc(Position).limit(limit).all(&self.read()).await?;
        Ok(letters.into_iter().map(DeadLetter::from).collect())
    }

    /// Has the relay publish dead letters again: one event, or all. Returns how many.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn retry_dead_letters(&self, sink: &str, event_id: Option<Uuid>) -> Result<u64, StoreError> {
        use sink_dead_letter::Column::{EventId, IsRetried, Sink};
        let mut letters = sink_dead_letter::Entity::update_many()
            .col_expr(IsRetried, Expr::value(true))
            .filter(Sink.eq(sink))
            .filter(IsRetried.eq(false));
        if let Some(event_id) = event_id {
            letters = letters.filter(EventId.eq(event_id));
        }
        Ok(letters.exec(&self.write()).await?.rows_affected)
    }

    /// Deletes dead letters that the broker has taken.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn delete_dead_letters(&self, sink: &str, positions: Vec<i64>) -> Result<(), StoreError> {
        use sink_dead_letter::Column::{Position, Sink};
        let taken = sink_dead_letter::Entity::delete_many().filter(Sink.eq(sink)).filter(Position.is_in(positions));
        taken.exec(&self.write()).await?;
        Ok(())
    }

    /// Records that the broker of a sink has refused a dead letter again.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn refuse_dead_letter(
        &self,
        sink: &str,
        position: i64,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use sink_dead_letter::Column::{IsRetried, Position, Reason, RefusedAt, Sink};
        let refused = sink_dead_letter::Entity::update_many()
            .col_expr(IsRetried, Expr::value(false))
            .col_expr(Reason, Expr::value(reason))
            .col_expr(RefusedAt, Expr::value(now))
            .filter(Sink.eq(sink))
            .filter(Position.eq(position));
        refused.exec(&self.write()).await?;
        Ok(())
    }

    /// How far each sink has got that has ever run, by name.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn sinks(&self) -> Result<Vec<SinkState>, StoreError> {
        let cursors = event_cursor::Entity::find()
            .filter(event_cursor::Column::Name.starts_with(PREFIX))
            .order_by_asc(event_cursor::Column::Name)
            .all(&self.read())
            .await?;
        let mut states = Vec::new();
        if cursors.is_empty() {
            return Ok(states);
        }
        let last = self.last_position().await?;
        for event_cursor::Model { name, position } in cursors {
            let name = name.trim_start_matches(PREFIX).to_owned();
            states.push(SinkState {
                lag: last.saturating_sub(position).try_into().unwrap_or_default(),
                oldest: self.first_time_behind(position).await?,
                dead_letters: self.count_dead_letters(&name).await?,
                position,
                name,
            });
        }
        Ok(states)
    }

    async fn first_time_behind(&self, position: i64) -> Result<Option<DateTime<Utc>>, StoreError> {
        let first = event::Entity::find()
            .select_only()
            .column(event::Column::CreatedAt)
            .filter(event::Column::Position.gt(position))
            .order_by_asc(event::Column::Position)
            .into_tuple::<DateTime<Utc>>();
        Ok(first.one(&self.read()).await?)
    }

    async fn count_dead_letters(&self, sink: &str) -> Result<u64, StoreError> {
        let letters = sink_dead_letter::Entity::find().filter(sink_dead_letter::Column::Sink.eq(sink));
        count(&self.read(), letters.into_query()).await
    }

    /// Forgets a sink: its cursor and its dead letters. False: there is none of this name.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn forget_sink(&self, sink: &str) -> Result<bool, StoreError> {
        let name = cursor(sink);
        in_transaction!(self, |transaction| {
            let letters = sink_dead_letter::Entity::delete_many().filter(sink_dead_letter::Column::Sink.eq(sink));
            letters.exec(transaction).await?;
            let deleted = event_cursor::Entity::delete_by_id(name.clone()).exec(transaction).await?;
            Ok::<_, StoreError>(deleted.rows_affected > 0)
        })
    }
}

/// The name of the cursor of a sink.
fn cursor(sink: &str) -> String {
    format!("{PREFIX}{sink}")
}

impl DeadLetter {
    fn into_row(self, sink: &str) -> sink_dead_letter::Model {
        let Self { position, event_id, client_id, user_id, kind, message, reason, is_retried, refused_at } = self;
        sink_dead_letter::Model {
            sink: sink.to_owned(),
            position,
            event_id,
            client_id,
            user_id,
            kind,
            message,
            reason,
            is_retried,
            refused_at,
        }
    }
}

impl From<sink_dead_letter::Model> for DeadLetter {
    fn from(row: sink_dead_letter::Model) -> Self {
        let sink_dead_letter::Model {
            position,
            event_id,
            client_id,
            user_id,
            kind,
            message,
            reason,
            is_retried,
            refused_at,
            ..
        } = row;
        Self { position, event_id, client_id, user_id, kind, message, reason, is_retried, refused_at }
    }
}
