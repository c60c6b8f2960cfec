//! Events as they are handed out again: in one order that never changes, from any place in it on.
//!
//! Neither the id of an event nor its time says when its transaction commits: who reads by them and remembers how far it
//! got passes over the event of a slower transaction. Nor does a number drawn when the row is inserted. So an event gets
//! its place after its commit, from a counter whose row stays locked until the places are committed: the place n is
//! visible only when all places below n are. That holds on both engines, behind poolers, and after a dump was restored
//! elsewhere (which what PostgreSQL tells of running transactions would not survive). The events of one user get their
//! places in the order of their sequence, since a later one can be seen only where the earlier ones can.

use chrono::{DateTime, Utc};
use entity::{counter, event};
use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    Statement,
};
use tracing::instrument;
use uuid::Uuid;

use super::error::classify;
use super::{Engine, Store, StoreError};

/// The counter of positions.
const COUNTER: &str = "events";
/// What PostgreSQL tells the other replicas of new positions by.
const CHANNEL: &str = "kira_events";
/// How many events get their positions in one transaction.
const AT_ONCE: u64 = 1_000;
/// How many such transactions one call makes at most: more is a backlog, which calls and rounds share.
const ROUNDS: usize = 10;

/// Gives positions. The order is total, and that of the index of events that have none yet.
const GIVE_POSITIONS: &str = "UPDATE events SET position = $1 + next.place FROM \
    (SELECT id, row_number() OVER (ORDER BY sequence, id) AS place FROM \
    (SELECT id, sequence FROM events WHERE position IS NULL ORDER BY sequence, id LIMIT $2) AS waiting) AS next \
    WHERE events.id = next.id";

/// An event with its position.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    /// Its place in the order of all events, from 1 on.
    pub position: i64,
    /// Identifier.
    pub id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened, such as `user.created`.
    pub kind: String,
    /// Rises with every event of one user.
    pub sequence: i64,
    /// What receivers are told.
    pub payload: serde_json::Value,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Those of one user alone.
    pub user_id: Option<Uuid>,
    /// Those of these kinds; empty: of all.
    pub kinds: Vec<&'static str>,
}

impl Store {
    /// Gives every event that is committed by now its position; returns how many got one.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn position_events(&self) -> Result<u64, StoreError> {
        let mut given = 0;
        for _ in 0..ROUNDS {
            // Without the lock: most of the time there is nothing to do.
            let waiting = event::Entity::find().select_only().column(event::Column::Id);
            let waiting = waiting.filter(event::Column::Position.is_null()).into_tuple::<Uuid>();
            if waiting.one(&self.read()).await?.is_none() {
                break;
            }
            let count = self.give_positions().await?;
            given += count;
            if count < AT_ONCE {
                break;
            }
        }
        Ok(given)
    }

    async fn give_positions(&self) -> Result<u64, StoreError> {
        let transaction = self.begin().await?;
        let counter = lock_events(&transaction).await?;
        let last = counter.map(|counter| counter.last).unwrap_or_default();
        let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        let backend = transaction.get_database_backend();
        let give = Statement::from_sql_and_values(backend, GIVE_POSITIONS, [last.into(), limit.into()]);
        let count = transaction.execute_raw(give).await?.rows_affected();
        if count > 0 {
            let last = last.saturating_add_unsigned(count);
            let counter = counter::ActiveModel { name: Set(COUNTER.to_owned()), last: Set(last) };
            counter::Entity::update(counter).exec(&transaction).await?;
            if self.engine() == Engine::Postgres {
                // Here and not where events are written: notifying makes commits wait for each other.
                transaction.execute_unprepared(&format!("NOTIFY {CHANNEL}")).await?;
            }
        }
        transaction.commit().await?;
        Ok(count)
    }

    /// The position given out last; 0 where none was.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn last_position(&self) -> Result<i64, StoreError> {
        let counter = counter::Entity::find_by_id(COUNTER).one(&self.read()).await?;
        Ok(counter.map(|counter| counter.last).unwrap_or_default())
    }

    /// Where an event of this client stands. None: there is no such event; `Some(None)`: it has no position yet.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_position(&self, client_id: Uuid, event_id: Uuid) -> Result<Option<Option<i64>>, StoreError> {
        let event = event::Entity::find_by_id(event_id).filter(event::Column::ClientId.eq(client_id));
        Ok(event.select_only().column(event::Column::Position).into_tuple().one(&self.read()).await?)
    }

    /// Up to `limit` events of a client behind a position, in their order.
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
        let mut events = event::Entity::find().filter(ClientId.eq(client_id)).filter(Position.gt(after));
        if let Some(user_id) = filter.user_id {
            events = events.filter(UserId.eq(user_id));
        }
        if !filter.kinds.is_empty() {
            events = events.filter(Kind.is_in(filter.kinds.iter().copied()));
        }
        let rows = events.order_by_asc(Position).limit(limit).all(&self.read()).await?;
        Ok(rows.into_iter().filter_map(EventRecord::of).collect())
    }

    /// Waits until this process has written events, or did since the last wait. For one waiter.
    pub async fn events_written(&self) {
        self.connections.events.notified().await;
    }

    /// Tells whoever waits in `events_written`, and whoever sends events.
    pub(super) fn events_are_written(&self) {
        self.connections.events.notify_one();
        self.want_deliveries();
    }

    /// Begins to listen for what other processes tell. It takes a connection of its own, outside the pool.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn listen_for_events(&self) -> Result<EventListener, StoreError> {
        match self.engine() {
            Engine::Sqlite => Ok(EventListener(None)),
            Engine::Postgres => {
                let pool = self.read();
                let pool = pool.get_postgres_connection_pool();
                let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
                let own = own.connect_lazy_with(pool.connect_options().as_ref().clone());
                let mut listener = PgListener::connect_with(&own).await.map_err(|error| classify(&error))?;
                listener.listen(CHANNEL).await.map_err(|error| classify(&error))?;
                Ok(EventListener(Some(listener)))
            }
        }
    }
}

/// Hears of the positions that any process gives. A pooler may keep it from hearing anything, and what is told while the
/// connection is lost is not heard: it makes readers prompt, never sure.
#[derive(Debug)]
pub struct EventListener(Option<PgListener>);

impl EventListener {
    /// Waits for the next word. On SQLite there is none: other processes are not told of.
    ///
    /// # Errors
    /// `Unavailable` when the connection is lost and no other can be made.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        match &mut self.0 {
            None => std::future::pending().await,
            Some(listener) => listener.recv().await.map(drop).map_err(|error| classify(&error)),
        }
    }
}

/// Locks the counter. Whoever changes events that are there (gives them places, relays them) holds this lock, so that two
/// that do never wait for each other's rows.
pub(super) async fn lock_events(transaction: &DatabaseTransaction) -> Result<Option<counter::Model>, StoreError> {
    Ok(counter::Entity::find_by_id(COUNTER).lock_exclusive().one(transaction).await?)
}

impl EventRecord {
    fn of(row: event::Model) -> Option<Self> {
        let event::Model { id, user_id, kind, sequence, payload, created_at, .. } = row;
        Some(Self { position: row.position?, id, user_id, kind, sequence, payload, created_at })
    }
}
