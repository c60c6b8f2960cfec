//! From the outbox to the deliveries.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::{event, user, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::events::lock_events;
use super::super::{Store, StoreError};
use super::{EndpointRecord, NewDelivery};
use crate::ambient::Ambient;

/// Deliveries that one statement inserts; each has a dozen parameters, and engines limit those.
const ROWS: usize = 500;

/// An event of the outbox that somebody wants to be told of.
#[derive(Clone, Debug)]
pub struct OutboxEvent {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened.
    pub kind: String,
    /// Its place among the events of its user.
    pub sequence: i64,
    /// What receivers are told.
    pub payload: serde_json::Value,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// The user's data key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// The user's profile, sealed.
    pub profile: Vec<u8>,
    /// The trace that it happened in, as a `traceparent`.
    pub trace_context: Option<String>,
}

impl Store {
    /// Takes up to `limit` events from the outbox, the oldest first, and makes one delivery for each endpoint that
    /// wants one; all or nothing, so that a crash repeats none. `seal` makes the body of a delivery with this id.
    /// Returns how many events it took.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is taken then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn relay_events(
        &self,
        ambient: &dyn Ambient,
        limit: u64,
        seal: &(dyn Fn(&OutboxEvent, Uuid) -> Vec<u8> + Sync),
    ) -> Result<usize, StoreError> {
        let waiting = || event::Entity::find().filter(event::Column::RelayedAt.is_null());
        // An idle relay asks often; on SQLite a transaction would take the write lock each time.
        let peek = waiting().select_only().column(event::Column::Id).into_tuple::<Uuid>().one(&self.read()).await?;
        if peek.is_none() {
            return Ok(0);
        }
        let now = ambient.now();
        let transaction = self.begin().await?;
        lock_events(&transaction).await?;
        let events = waiting()
            .order_by_asc(event::Column::CreatedAt)
            .order_by_asc(event::Column::Sequence)
            .limit(limit)
            .all(&transaction)
            .await?;
        let taken: Vec<Uuid> = events.iter().map(|event| event.id).collect();
        let endpoints = receivers(&transaction, &events).await?;
        let wanted: Vec<_> = events
            .into_iter()
            .filter(|event| of(&endpoints, event.client_id).any(|endpoint| endpoint.wants(&event.kind)))
            .collect();
        let mut rows = Vec::new();
        for event in with_users(&transaction, wanted).await? {
            for endpoint in of(&endpoints, event.client_id).filter(|endpoint| endpoint.wants(&event.kind)) {
                let id = ambient.new_id();
                let delivery = NewDelivery {
                    id,
                    event_id: event.id,
                    endpoint_id: endpoint.id,
                    client_id: event.client_id,
                    user_id: Some(event.user_id),
                    kind: event.kind.clone(),
                    sequence: event.sequence,
                    sealed_body: seal(&event, id),
                    trace_context: event.trace_context.clone(),
                };
                rows.push(delivery.into_row(now));
            }
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(ROWS));
            insert(&transaction, std::mem::replace(&mut rows, rest)).await?;
        }
        let relayed = event::ActiveModel { relayed_at: Set(Some(now)), ..Default::default() };
        let count = taken.len();
        let filter = event::Column::Id.is_in(taken);
        event::Entity::update_many().set(relayed).filter(filter).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(count)
    }

    /// Adds one delivery that is no event of the outbox: a test.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn add_delivery(&self, new: NewDelivery, now: DateTime<Utc>) -> Result<(), StoreError> {
        webhook_delivery::Entity::insert(new.into_row(now)).exec_without_returning(&self.write()).await?;
        // It is sent by who sends events.
        self.want_deliveries();
        Ok(())
    }
}

/// Inserts deliveries; one that is there already stays as it is.
pub(super) async fn insert(
    transaction: &DatabaseTransaction,
    rows: Vec<webhook_delivery::ActiveModel>,
) -> Result<(), StoreError> {
    use webhook_delivery::Column::{EndpointId, EventId};
    let once = OnConflict::columns([EventId, EndpointId]).do_nothing().to_owned();
    webhook_delivery::Entity::insert_many(rows)
        .on_conflict(once)
        .try_insert()
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

type Endpoints = HashMap<Uuid, Vec<EndpointRecord>>;

fn of(endpoints: &Endpoints, client_id: Uuid) -> impl Iterator<Item = &EndpointRecord> {
    endpoints.get(&client_id).into_iter().flatten()
}

/// The endpoints that take events, by client.
async fn receivers(transaction: &DatabaseTransaction, events: &[event::Model]) -> Result<Endpoints, StoreError> {
    let clients: HashSet<Uuid> = events.iter().map(|event| event.client_id).collect();
    let rows = webhook_endpoint::Entity::find()
        .filter(webhook_endpoint::Column::ClientId.is_in(clients))
        .filter(webhook_endpoint::Column::DeletedAt.is_null())
        .filter(webhook_endpoint::Column::DisabledAt.is_null());
    let mut endpoints = Endpoints::new();
    for row in rows.all(transaction).await? {
        let endpoint = EndpointRecord::read(row)?;
        endpoints.entry(endpoint.client_id).or_default().push(endpoint);
    }
    Ok(endpoints)
}

async fn with_users(
    transaction: &DatabaseTransaction,
    events: Vec<event::Model>,
) -> Result<Vec<OutboxEvent>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let ids: HashSet<Uuid> = events.iter().map(|event| event.user_id).collect();
    let users = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::WrappedKey, user::Column::Profile])
        .filter(user::Column::Id.is_in(ids))
        .into_tuple::<(Uuid, Vec<u8>, Vec<u8>)>();
    let users = users.all(transaction).await?.into_iter().map(|(id, key, profile)| (id, (key, profile)));
    let users: HashMap<_, _> = users.collect();
    let joined = events.into_iter().map(|event| {
        let (wrapped_key, profile) = users.get(&event.user_id).cloned().unwrap_or_default();
        OutboxEvent {
            id: event.id,
            client_id: event.client_id,
            user_id: event.user_id,
            kind: event.kind,
            sequence: event.sequence,
            payload: event.payload,
            created_at: event.created_at,
            wrapped_key,
            profile,
            trace_context: event.trace_context,
        }
    });
    Ok(joined.collect())
}
