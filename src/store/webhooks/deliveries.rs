//! The record of deliveries, as clients see it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{webhook_attempt, webhook_delivery};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};
use tracing::instrument;
use uuid::Uuid;

use super::super::clients::all_clients;
use super::super::rows::{MOST_COUNTED, before, count, with_keys};
use super::super::{Statements, Store, StoreError};
use super::{CLOCK_SKEW, DeliveryState};

/// The record of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptReport {
    /// Counts from 1.
    pub number: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub duration: TimeDelta,
    /// What the endpoint answered, if it did.
    pub status_code: Option<u16>,
    /// Why it failed, as a code.
    pub error: Option<String>,
    /// The beginning of the answer's body, sealed.
    pub sealed_answer: Option<Vec<u8>>,
}

/// A delivery as it is stored, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Identifier.
    pub id: Uuid,
    /// The event.
    pub event_id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// The user it is about, if it is about one.
    pub user_id: Option<Uuid>,
    /// What happened.
    pub kind: String,
    /// The sequence number of the event among those of its user.
    pub sequence: i64,
    /// Its state.
    pub state: DeliveryState,
    /// When it is tried next, while it is pending.
    pub next_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the endpoint took it.
    pub delivered_at: Option<DateTime<Utc>>,
    /// The attempts, oldest first; on PostgreSQL those within the retention.
    pub attempts: Vec<AttemptReport>,
}

/// Which deliveries are asked for.
#[derive(Clone, Debug, Default)]
pub struct DeliveryPage {
    /// Only those of this client.
    pub client_id: Option<Uuid>,
    /// Only those to this endpoint.
    pub endpoint_id: Option<Uuid>,
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// How many at most.
    pub limit: u64,
    /// How many to skip.
    pub offset: u64,
    /// Only those behind this place.
    pub behind: Option<DeliveryPlace>,
}

/// Where a delivery stands in a list: its time, and its id among those of one time.
pub type DeliveryPlace = (DateTime<Utc>, Uuid);

impl Store {
    /// Deliveries, newest first, and how many there are, see [`super::super::MOST_COUNTED`].
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_deliveries(&self, page: DeliveryPage) -> Result<(Vec<DeliveryRecord>, u64), StoreError> {
        use webhook_delivery::Column::{ClientId, CreatedAt, Id, NextAt};
        let reads = self.read_list().await?;
        let (mut keys, mut total) = (Vec::new(), 0);
        for part in self.ranges(&page).await? {
            total += count(&reads, part.clone().into_query()).await?;
            let part = part.select_only().columns([CreatedAt, Id, ClientId]);
            let part = part.order_by_desc(CreatedAt).order_by_desc(Id).limit(page.offset + page.limit);
            let part = match page.behind {
                Some(place) => part.filter(before(CreatedAt, Id, place)),
                None => part,
            };
            keys.extend(part.into_tuple::<(DateTime<Utc>, Uuid, Uuid)>().all(&reads).await?);
        }
        keys.sort_unstable_by(|one, other| other.cmp(one));
        let (offset, limit) = (usize::try_from(page.offset), usize::try_from(page.limit));
        let page = keys.into_iter().skip(offset.unwrap_or(usize::MAX)).take(limit.unwrap_or(usize::MAX));
        let page: Vec<_> = page.collect();
        let Some((first, ..)) = page.last().copied() else { return Ok((Vec::new(), total.min(MOST_COUNTED + 1))) };
        let page = page.into_iter().map(|(_, id, client_id)| (client_id, id));
        // What was made since then was due, delivered or given up later: the partitions before are not looked at.
        let since = NextAt.gte(first - CLOCK_SKEW);
        let found = webhook_delivery::Entity::find().filter(with_keys(ClientId, Id, page)).filter(since);
        let mut found = read_deliveries(&reads, found).await?;
        found.sort_unstable_by_key(|found| std::cmp::Reverse((found.created_at, found.id)));
        Ok((found, total.min(MOST_COUNTED + 1)))
    }

    /// The place of a delivery of this client.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn delivery_place(&self, client_id: Uuid, id: Uuid) -> Result<Option<DeliveryPlace>, StoreError> {
        use webhook_delivery::Column::{CreatedAt, Id};
        let found = webhook_delivery::Entity::find_by_id((client_id, id)).select_only().columns([CreatedAt, Id]);
        Ok(found.into_tuple().one(&self.read()).await?)
    }

    /// The ranges of an index that hold the deliveries of a page, each in the order of their times.
    async fn ranges(&self, page: &DeliveryPage) -> Result<Vec<Select<webhook_delivery::Entity>>, StoreError> {
        use webhook_delivery::Column::{ClientId, EndpointId, State};
        let clients = match page.client_id {
            Some(client_id) => vec![client_id],
            None => self.list_clients().await?.into_iter().map(|client| client.id).collect(),
        };
        let of_clients = clients.into_iter().map(|id| webhook_delivery::Entity::find().filter(ClientId.eq(id)));
        let Some(endpoint_id) = page.endpoint_id else {
            let with_state = |part: Select<_>| match page.state {
                Some(state) => part.filter(State.eq(state)),
                None => part,
            };
            return Ok(of_clients.map(with_state).collect());
        };
        let states = match page.state {
            Some(state) => vec![state],
            None => vec![DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead],
        };
        let of_endpoint = |part: Select<webhook_delivery::Entity>| {
            let part = part.filter(EndpointId.eq(endpoint_id));
            states.iter().map(move |state| part.clone().filter(State.eq(*state))).collect::<Vec<_>>()
        };
        Ok(of_clients.flat_map(of_endpoint).collect())
    }

    /// One delivery of this client, or of any.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_delivery(&self, client_id: Option<Uuid>, id: Uuid) -> Result<Option<DeliveryRecord>, StoreError> {
        use webhook_delivery::Column::{ClientId, Id};
        let found = webhook_delivery::Entity::find().filter(Id.eq(id));
        let found = match client_id {
            Some(client_id) => found.filter(ClientId.eq(client_id)),
            None => found.filter(ClientId.in_subquery(all_clients())),
        };
        Ok(read_deliveries(&self.read(), found).await?.pop())
    }
}

async fn read_deliveries(
    reads: &Statements,
    found: Select<webhook_delivery::Entity>,
) -> Result<Vec<DeliveryRecord>, StoreError> {
    let rows = found.all(reads).await?;
    let mut attempts: HashMap<Uuid, Vec<AttemptReport>> = HashMap::new();
    if let Some(first) = rows.iter().map(|row| row.created_at).min() {
        let made = webhook_attempt::Entity::find()
            .filter(webhook_attempt::Column::StartedAt.gte(first - CLOCK_SKEW))
            .filter(with_keys(
                webhook_attempt::Column::ClientId,
                webhook_attempt::Column::DeliveryId,
                rows.iter().map(|row| (row.client_id, row.id)),
            ))
            .order_by_asc(webhook_attempt::Column::DeliveryId)
            .order_by_asc(webhook_attempt::Column::Number);
        for row in made.all(reads).await? {
            attempts.entry(row.delivery_id).or_default().push(row.into());
        }
    }
    let record = |row: webhook_delivery::Model| DeliveryRecord {
        attempts: attempts.remove(&row.id).unwrap_or_default(),
        id: row.id,
        event_id: row.event_id,
        endpoint_id: row.endpoint_id,
        user_id: row.user_id,
        kind: row.kind,
        sequence: row.sequence,
        state: row.state,
        next_at: row.next_at,
        created_at: row.created_at,
        delivered_at: row.delivered_at,
    };
    Ok(rows.into_iter().map(record).collect())
}

impl From<webhook_attempt::Model> for AttemptReport {
    fn from(row: webhook_attempt::Model) -> Self {
        Self {
            number: u32::try_from(row.number).unwrap_or_default(),
            started_at: row.started_at,
            duration: TimeDelta::milliseconds(row.duration_ms),
            status_code: row.status_code.and_then(|code| u16::try_from(code).ok()),
            error: row.error,
            sealed_answer: row.sealed_answer,
        }
    }
}
