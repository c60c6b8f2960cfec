//! From the history of events to the deliveries.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::{event, user, webhook_delivery, webhook_endpoint};
use ring::digest::{Context, SHA256};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait as _, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::super::claims::{Ended, once};
use super::super::events::{ASSIGNED, RELAYED, advance_cursor, lock_cursor};
use super::super::rows::with_keys;
use super::super::{ClientClaim, Once, Store, StoreError, Transaction, in_transaction};
use super::{CLOCK_SKEW, EndpointRecord, NewDelivery};
use crate::env::Env;

/// Deliveries that one statement inserts; each has a dozen parameters, and engines limit those.
const ROWS: usize = 500;

/// An event that an endpoint receives.
#[derive(Clone, Debug)]
pub struct RelayedEvent {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// What happened.
    pub kind: String,
    /// Its sequence number among the events of its user.
    pub sequence: i64,
    /// What receivers get.
    pub payload: serde_json::Value,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// The user's data key, wrapped, and its profile, sealed. None: the user is erased.
    pub user: Option<(Vec<u8>, Vec<u8>)>,
    /// The trace that it happened in, as a `traceparent`.
    pub trace_context: Option<String>,
}

impl RelayedEvent {
    /// The event of a user that is erased.
    pub(super) fn of_erased(event: event::Model) -> Self {
        Self {
            id: event.id,
            client_id: event.client_id,
            user_id: event.user_id,
            kind: event.kind,
            sequence: event.sequence,
            payload: event.payload,
            created_at: event.created_at,
            user: None,
            trace_context: event.trace_context,
        }
    }
}

impl Store {
    /// Relays up to `limit` events, in the order of their positions, and makes one delivery for each endpoint that receives
    /// them; all or nothing, so that a crash repeats none. `seal` makes the body of a delivery with this id. Returns how
    /// many events it relayed.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is relayed then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn relay_events(
        &self,
        env: &dyn Env,
        limit: u64,
        seal: &(dyn Fn(&RelayedEvent, Uuid) -> Vec<u8> + Sync),
    ) -> Result<usize, StoreError> {
        self.assign_positions().await?;
        // An idle relay asks often; on SQLite a transaction would take the write lock each time.
        if self.event_cursor(RELAYED).await? >= self.event_cursor(ASSIGNED).await? {
            return Ok(0);
        }
        let now = env.now();
        in_transaction!(self, |transaction| relay_in(transaction, now, limit, seal).await)
    }

    /// Adds one delivery that is no event of a user: a test.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn add_delivery(
        &self,
        new: NewDelivery,
        claim: Option<ClientClaim>,
        now: DateTime<Utc>,
    ) -> Result<Once<()>, StoreError> {
        let added = once!(self, claim, now, |transaction| {
            let row = webhook_delivery::Entity::insert(new.clone().into_row(now));
            row.exec_without_returning(transaction).await.map_err(StoreError::from).map(|_| Ended::Changed(()))
        })?;
        self.want_deliveries();
        Ok(added)
    }
}

async fn relay_in(
    transaction: &Transaction,
    now: DateTime<Utc>,
    limit: u64,
    seal: &(dyn Fn(&RelayedEvent, Uuid) -> Vec<u8> + Sync),
) -> Result<usize, StoreError> {
    let relayed = lock_cursor(transaction, RELAYED).await?;
    let events = event::Entity::find()
        .filter(event::Column::Position.gt(relayed))
        .order_by_asc(event::Column::Position)
        .limit(limit)
        .all(transaction)
        .await?;
    let Some(last) = events.last().map(|event| event.position) else { return Ok(0) };
    let count = events.len();
    let endpoints = receivers(transaction, &events).await?;
    let wanted: Vec<_> = events
        .into_iter()
        .filter(|event| of(&endpoints, event.client_id).any(|endpoint| endpoint.wants(&event.kind)))
        .collect();
    let there = deliveries_of(transaction, &wanted, &endpoints).await?;
    let mut rows = Vec::new();
    for event in with_users(transaction, wanted).await? {
        for endpoint in of(&endpoints, event.client_id).filter(|endpoint| endpoint.wants(&event.kind)) {
            let id = delivery_id(event.id, event.created_at, endpoint.id);
            if there.contains(&id) {
                continue;
            }
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
        insert(transaction, std::mem::replace(&mut rows, rest)).await?;
    }
    advance_cursor(transaction, RELAYED, last).await?;
    Ok(count)
}

/// Inserts deliveries; one that exists is left as it is.
pub(super) async fn insert(
    transaction: &Transaction,
    rows: Vec<webhook_delivery::ActiveModel>,
) -> Result<(), StoreError> {
    webhook_delivery::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// The id of the delivery of an event to an endpoint: always the same, so that there is one. The time of the event leads,
/// so that deliveries that are made together are stored together.
pub(super) fn delivery_id(event_id: Uuid, created_at: DateTime<Utc>, endpoint_id: Uuid) -> Uuid {
    let mut digest = Context::new(&SHA256);
    digest.update(event_id.as_bytes());
    digest.update(endpoint_id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finish().as_ref()[..16]);
    bytes[..6].copy_from_slice(&created_at.timestamp_millis().to_be_bytes()[2..]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The deliveries of these events that exist already. The relay passes each event once, so that there are none unless its
/// cursor was set back. SQLite's key finds them at the insert; PostgreSQL's is that of a partition.
async fn deliveries_of(
    transaction: &Transaction,
    events: &[event::Model],
    endpoints: &Endpoints,
) -> Result<HashSet<Uuid>, StoreError> {
    use webhook_delivery::Column::{ClientId, Id, NextAt};
    let Some(first) = events.iter().map(|event| event.created_at).min() else { return Ok(HashSet::new()) };
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(HashSet::new());
    }
    let keys = events.iter().flat_map(|event| {
        of(endpoints, event.client_id)
            .map(|endpoint| (event.client_id, delivery_id(event.id, event.created_at, endpoint.id)))
    });
    let found = webhook_delivery::Entity::find()
        .select_only()
        .column(Id)
        .filter(with_keys(ClientId, Id, keys))
        // A delivery is due, delivered or dead after its event: only the partitions since then are looked at.
        .filter(NextAt.gte(first - CLOCK_SKEW))
        .into_tuple::<Uuid>();
    Ok(found.all(transaction).await?.into_iter().collect())
}

type Endpoints = HashMap<Uuid, Vec<EndpointRecord>>;

fn of(endpoints: &Endpoints, client_id: Uuid) -> impl Iterator<Item = &EndpointRecord> {
    endpoints.get(&client_id).into_iter().flatten()
}

/// The endpoints that receive events, by client.
async fn receivers(transaction: &Transaction, events: &[event::Model]) -> Result<Endpoints, StoreError> {
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

async fn with_users(transaction: &Transaction, events: Vec<event::Model>) -> Result<Vec<RelayedEvent>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let keys: HashSet<_> = events.iter().map(|event| (event.client_id, event.user_id)).collect();
    let users = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::WrappedKey, user::Column::Profile])
        .filter(with_keys(user::Column::ClientId, user::Column::Id, keys))
        .into_tuple::<(Uuid, Vec<u8>, Vec<u8>)>();
    let users = users.all(transaction).await?.into_iter().map(|(id, key, profile)| (id, (key, profile)));
    let users: HashMap<_, _> = users.collect();
    let joined = events.into_iter().map(|event| {
        let user = users.get(&event.user_id).cloned();
        RelayedEvent { user, ..RelayedEvent::of_erased(event) }
    });
    Ok(joined.collect())
}
