//! Events as readers get them: in one order that never changes, from any position on.
//!
//! Neither the id of an event nor its time nor a number drawn at its insert says when its transaction commits: a reader
//! that goes by one of them misses the event of a slower transaction. So a change writes its events to the outbox, and
//! after the commit they are moved to the history, each with the next position. The row of the cursor stays locked until
//! the move is committed, so that a position is visible only when all lower ones are. That holds on both engines, behind
//! poolers, and after a dump is restored elsewhere.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::{event, event_cursor, outbox};
use sea_orm::sea_query::{Expr, ExprTrait as _, SelectStatement};
use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, Select, Set,
    Statement,
};
use tracing::instrument;
use uuid::Uuid;

use super::error::classify;
use super::rows::first_of;
use super::{Engine, Listen, Pooler, Profile, Store, StoreError, Transaction, in_transaction};

/// The cursor of the last position that was assigned.
pub(super) const ASSIGNED: &str = "assigned";
/// The cursor of the last event that was relayed to the webhooks.
pub(super) const RELAYED: &str = "webhooks";
/// The channel by which PostgreSQL notifies the other replicas of new positions.
const CHANNEL: &str = "kira_events";
/// How many events one transaction moves.
const BATCH: i64 = 1_000;
/// How many transactions one call runs at most: more is a backlog, which several calls share.
const ROUNDS: usize = 10;

/// Moves events in one statement: two would not see the same rows.
const MOVE_ON_POSTGRES: &str = r#"WITH "moved" AS (DELETE FROM "outbox" WHERE "number" = ANY(ARRAY(
        SELECT "number" FROM "outbox" ORDER BY "number" LIMIT $2)) RETURNING *)
    INSERT INTO "events" (client_id, position, id, user_id, kind, sequence, payload, created_at, trace_context)
    SELECT client_id, $1 + row_number() OVER (ORDER BY "number"),
        id, user_id, kind, sequence, payload, created_at, trace_context FROM "moved""#;
/// SQLite has one writer at a time, so that both statements see the same rows.
const INSERT_ON_SQLITE: &str = r#"INSERT INTO "events"
        (client_id, position, id, user_id, kind, sequence, payload, created_at, trace_context)
    SELECT client_id, $1 + row_number() OVER (ORDER BY "number"),
        id, user_id, kind, sequence, payload, created_at, trace_context FROM "outbox" ORDER BY "number" LIMIT $2"#;
const DELETE_ON_SQLITE: &str = r#"DELETE FROM "outbox" WHERE "number" IN
    (SELECT "number" FROM "outbox" ORDER BY "number" LIMIT $1)"#;

/// An event with its position.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    /// The position in the order of all events, from 1 on.
    pub position: i64,
    /// Identifier.
    pub id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened, such as `user.created`.
    pub kind: String,
    /// Rises with every event of one user.
    pub sequence: i64,
    /// What receivers get.
    pub payload: serde_json::Value,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those of this user.
    pub user_id: Option<Uuid>,
    /// Only those of these kinds; empty: all.
    pub kinds: Vec<&'static str>,
}

impl Store {
    /// Assigns a position to every event that is committed by now; returns how many got one.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn assign_positions(&self) -> Result<u64, StoreError> {
        let mut assigned = 0;
        for _ in 0..ROUNDS {
            // Without the lock: most of the time the outbox is empty.
            let waiting = outbox::Entity::find().select_only().column(outbox::Column::Number);
            let waiting = waiting.order_by_asc(outbox::Column::Number).into_tuple::<i64>();
            if waiting.one(&self.read()).await?.is_none() {
                break;
            }
            let count: Result<_, StoreError> = in_transaction!(self, |transaction| self.move_events(transaction).await);
            let count = count?;
            assigned += count;
            if count < BATCH.unsigned_abs() {
                break;
            }
        }
        Ok(assigned)
    }

    async fn move_events(&self, transaction: &Transaction) -> Result<u64, StoreError> {
        let last = lock_cursor(transaction, ASSIGNED).await?;
        let backend = transaction.get_database_backend();
        let run = |sql, values: Vec<i64>| {
            let values = values.into_iter().map(Into::into);
            transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values))
        };
        let count = match self.engine() {
            Engine::Postgres => run(MOVE_ON_POSTGRES, vec![last, BATCH]).await?.rows_affected(),
            Engine::Sqlite => {
                let count = run(INSERT_ON_SQLITE, vec![last, BATCH]).await?.rows_affected();
                run(DELETE_ON_SQLITE, vec![BATCH]).await?;
                count
            }
        };
        if count > 0 {
            advance_cursor(transaction, ASSIGNED, last.saturating_add_unsigned(count)).await?;
            if self.engine() == Engine::Postgres && self.profile() == Profile::Standard {
                // Here and not where events are written: a NOTIFY makes commits wait for each other.
                transaction.execute_unprepared(&format!("NOTIFY {CHANNEL}")).await?;
            }
        }
        Ok(count)
    }

    /// The last position that was assigned; 0 before the first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn last_position(&self) -> Result<i64, StoreError> {
        self.event_cursor(ASSIGNED).await
    }

    pub(super) async fn event_cursor(&self, name: &str) -> Result<i64, StoreError> {
        let cursor = event_cursor::Entity::find_by_id(name).one(&self.read()).await?;
        Ok(cursor.map(|cursor| cursor.position).unwrap_or_default())
    }

    /// The position of an event of this client. None: there is no such event; `Some(None)`: it has no position yet.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_position(&self, client_id: Uuid, event_id: Uuid) -> Result<Option<Option<i64>>, StoreError> {
        // The outbox first: an event that is moved meanwhile is found in the history.
        let waiting = outbox::Entity::find()
            .filter(outbox::Column::ClientId.eq(client_id))
            .filter(outbox::Column::Id.eq(event_id))
            .select_only()
            .column(outbox::Column::Number)
            .into_tuple::<i64>()
            .one(&self.read())
            .await?;
        let event = event::Entity::find()
            .filter(event::Column::ClientId.eq(client_id))
            .filter(event::Column::Id.eq(event_id))
            .select_only()
            .column(event::Column::Position)
            .into_tuple::<i64>()
            .one(&self.read())
            .await?;
        Ok(event.map(Some).or(waiting.map(|_| None)))
    }

    /// Up to `limit` events of a client after a position, in their order.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_events(
        &self,
        client_id: Uuid,
        filter: &EventFilter,
        after: i64,
        limit: u64,
    ) -> Result<Vec<EventRecord>, StoreError> {
        use event::Column::{ClientId, Kind, Position, UserId};
        let reads = self.read_list().await?;
        let mut events = event::Entity::find().filter(ClientId.eq(client_id)).filter(Position.gt(after));
        if let Some(user_id) = filter.user_id {
            events = events.filter(UserId.eq(user_id));
        }
        if filter.kinds.is_empty() || filter.user_id.is_some() {
            let events = match &*filter.kinds {
                [] => events,
                kinds => events.filter(Kind.is_in(kinds.iter().copied())),
            };
            let rows = events.order_by_asc(Position).limit(limit).all(&reads).await?;
            return Ok(rows.into_iter().map(EventRecord::from).collect());
        }
        let mut records = Vec::new();
        // Kind by kind: for several at once the planner may read all events of the client.
        for kind in BTreeSet::from_iter(&filter.kinds) {
            let rows = first_of(self.engine(), of_kind(events.clone(), kind, after), limit);
            let rows = event::Entity::find().from_raw_sql(rows).all(&reads).await?;
            records.extend(rows.into_iter().map(EventRecord::from));
        }
        records.sort_unstable_by_key(|record| record.position);
        records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(records)
    }

    /// Waits until this process has written events, or did since the last wait. For one waiter.
    pub async fn events_written(&self) {
        self.connections.events.notified().await;
    }

    /// Notifies the waiter in `events_written`, and the sender of webhooks.
    pub(super) fn events_are_written(&self) {
        self.connections.events.notify_one();
        self.want_deliveries();
    }

    /// Starts to listen for the notifications of other processes, on a connection outside the pool.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn listen_for_events(&self) -> Result<EventListener, StoreError> {
        match (self.engine(), &self.connections.listen) {
            (Engine::Sqlite, _) | (_, Listen::Off) => Ok(EventListener(None)),
            (Engine::Postgres, _) if self.profile() == Profile::Distributed => Ok(EventListener(None)),
            (Engine::Postgres, Listen::Database) if self.pooler().await? != Pooler::None => {
                tracing::warn!(
                    "events of other processes are polled for: behind a pooler in transaction mode set \
                     KIRA_DATABASE_LISTEN_URL to a URL past it, or to off"
                );
                Ok(EventListener(None))
            }
            (Engine::Postgres, listen) => {
                let pool = self.pools().read;
                let pool = pool.get_postgres_connection_pool();
                let options = match listen {
                    Listen::Url(url) => url.parse().map_err(|error| classify(&error))?,
                    _ => pool.connect_options().as_ref().clone(),
                };
                let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
                let own = own.connect_lazy_with(options);
                let mut listener = PgListener::connect_with(&own).await.map_err(|error| classify(&error))?;
                listener.listen(CHANNEL).await.map_err(|error| classify(&error))?;
                Ok(EventListener(Some(listener)))
            }
        }
    }
}

/// Those of a kind, in their order. The kind is a range and not equal to a value, so that the order is that of the index of
/// kinds alone: another one would be read from its beginning on where PostgreSQL takes the kind for a common one.
fn of_kind(events: Select<event::Entity>, kind: &str, after: i64) -> SelectStatement {
    use event::Column::{Kind, Position};
    let place = Expr::tuple([Kind.into_expr(), Position.into_expr()]);
    let events = events.filter(place.gt(Expr::tuple([Expr::val(kind), Expr::val(after)]))).filter(Kind.lte(kind));
    events.order_by_asc(Kind).order_by_asc(Position).into_query()
}

/// Receives a notification when any process has assigned positions. Notifications are lost behind a pooler and while the
/// connection is down, so readers must poll besides.
#[derive(Debug)]
pub struct EventListener(Option<PgListener>);

impl EventListener {
    /// Waits for the next notification. On SQLite, and where listening is off, there is none.
    ///
    /// # Errors
    /// `Unavailable` when the connection is lost and no other can be made.
    pub async fn notified(&mut self) -> Result<(), StoreError> {
        match &mut self.0 {
            None => std::future::pending().await,
            Some(listener) => listener.recv().await.map(drop).map_err(|error| classify(&error)),
        }
    }
}

/// Locks a cursor until the transaction ends; returns its position.
pub(super) async fn lock_cursor(transaction: &Transaction, name: &str) -> Result<i64, StoreError> {
    let cursor = event_cursor::Entity::find_by_id(name).lock_exclusive().one(transaction).await?;
    cursor.map(|cursor| cursor.position).ok_or_else(|| StoreError::corrupt("a cursor of events"))
}

/// Advances a cursor that this transaction has locked.
pub(super) async fn advance_cursor(transaction: &Transaction, name: &str, position: i64) -> Result<(), StoreError> {
    let cursor = event_cursor::ActiveModel { name: Set(name.to_owned()), position: Set(position) };
    event_cursor::Entity::update(cursor).exec(transaction).await?;
    Ok(())
}

impl From<event::Model> for EventRecord {
    fn from(row: event::Model) -> Self {
        let event::Model { position, id, user_id, kind, sequence, payload, created_at, .. } = row;
        Self { position, id, user_id, kind, sequence, payload, created_at }
    }
}
