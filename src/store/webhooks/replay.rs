//! Sending again what was delivered or given up.

use chrono::{DateTime, Utc};
use entity::webhook_delivery;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::{DEAD, DELIVERED, PENDING};

/// What is sent again. Everything that is given narrows it down.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Of one client alone.
    pub client_id: Option<Uuid>,
    /// One delivery.
    pub delivery_id: Option<Uuid>,
    /// To one endpoint.
    pub endpoint_id: Option<Uuid>,
    /// Of what was made then or later.
    pub since: Option<DateTime<Utc>>,
    /// Of what was made before then.
    pub until: Option<DateTime<Utc>>,
    /// What was given up alone; else what was delivered, too.
    pub failed_only: bool,
}

impl Store {
    /// Sends deliveries again, from the beginning of the schedule, with the same bytes and the same event id. What is
    /// still on its way stays as it is. Returns how many.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn replay_deliveries(&self, replay: &Replay, now: DateTime<Utc>) -> Result<u64, StoreError> {
        use webhook_delivery::Column::{ClientId, CreatedAt, EndpointId, Id, State};
        let states: &[&str] = if replay.failed_only { &[DEAD] } else { &[DEAD, DELIVERED] };
        let row = webhook_delivery::ActiveModel {
            state: Set(PENDING.to_owned()),
            schedule_step: Set(0),
            next_at: Set(now),
            lease_token: Set(None),
            delivered_at: Set(None),
            ..Default::default()
        };
        let mut update = webhook_delivery::Entity::update_many().set(row).filter(State.is_in(states.iter().copied()));
        let equal = [(ClientId, replay.client_id), (Id, replay.delivery_id), (EndpointId, replay.endpoint_id)];
        for (column, wanted) in equal {
            if let Some(wanted) = wanted {
                update = update.filter(column.eq(wanted));
            }
        }
        if let Some(since) = replay.since {
            update = update.filter(CreatedAt.gte(since));
        }
        if let Some(until) = replay.until {
            update = update.filter(CreatedAt.lt(until));
        }
        let replayed = update.exec(&self.write()).await?.rows_affected;
        self.want_deliveries();
        Ok(replayed)
    }
}
