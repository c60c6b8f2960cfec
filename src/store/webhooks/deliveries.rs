//! The record of deliveries, as their clients are shown it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{webhook_attempt, webhook_delivery};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};

/// What is kept of an attempt.
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
    /// Its place among the events of its user.
    pub sequence: i64,
    /// Where it stands.
    pub state: String,
    /// When it is tried next, while it is pending.
    pub next_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the endpoint took it.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Every attempt, oldest first.
    pub attempts: Vec<AttemptReport>,
}

/// Which deliveries are asked for.
#[derive(Clone, Debug, Default)]
pub struct DeliveryPage {
    /// Those of one client alone.
    pub client_id: Option<Uuid>,
    /// Those to one endpoint alone.
    pub endpoint_id: Option<Uuid>,
    /// Those that stand there alone.
    pub state: Option<String>,
    /// How many at most.
    pub limit: u64,
    /// How many to pass over.
    pub offset: u64,
}

impl Store {
    /// Deliveries, newest first, and how many there are in all.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_deliveries(&self, page: DeliveryPage) -> Result<(Vec<DeliveryRecord>, u64), StoreError> {
        use webhook_delivery::Column::{ClientId, CreatedAt, EndpointId, Id, State};
        let mut found = webhook_delivery::Entity::find();
        if let Some(client_id) = page.client_id {
            found = found.filter(ClientId.eq(client_id));
        }
        if let Some(endpoint_id) = page.endpoint_id {
            found = found.filter(EndpointId.eq(endpoint_id));
        }
        if let Some(state) = page.state {
            found = found.filter(State.eq(state));
        }
        let total = found.clone().count(&self.read()).await?;
        let found = found.order_by_desc(CreatedAt).order_by_desc(Id).limit(page.limit).offset(page.offset);
        Ok((self.read_deliveries(found).await?, total))
    }

    /// One delivery of this client, or of any.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_delivery(&self, client_id: Option<Uuid>, id: Uuid) -> Result<Option<DeliveryRecord>, StoreError> {
        let mut found = webhook_delivery::Entity::find_by_id(id);
        if let Some(client_id) = client_id {
            found = found.filter(webhook_delivery::Column::ClientId.eq(client_id));
        }
        Ok(self.read_deliveries(found).await?.pop())
    }

    async fn read_deliveries(
        &self,
        found: Select<webhook_delivery::Entity>,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let rows = found.all(&self.read()).await?;
        let mut attempts: HashMap<Uuid, Vec<AttemptReport>> = HashMap::new();
        if !rows.is_empty() {
            let made = webhook_attempt::Entity::find()
                .filter(webhook_attempt::Column::DeliveryId.is_in(rows.iter().map(|row| row.id)))
                .order_by_asc(webhook_attempt::Column::DeliveryId)
                .order_by_asc(webhook_attempt::Column::Number);
            for row in made.all(&self.read()).await? {
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
