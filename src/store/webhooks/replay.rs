//! Sending again what was delivered or is dead.

use chrono::{DateTime, Utc};
use entity::webhook_delivery;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait as _, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::claims::{Ended, once};
use super::super::rows::with_keys;
use super::super::{ClientClaim, Once, Store, StoreError, in_transaction};
use super::{CLOCK_SKEW, DeliveryState};

/// Which deliveries are sent again: those that match everything that is given.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Only those of this client.
    pub client_id: Option<Uuid>,
    /// Only this delivery.
    pub delivery_id: Option<Uuid>,
    /// Only those to this endpoint.
    pub endpoint_id: Option<Uuid>,
    /// Only those that were created then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only those that were created before then.
    pub until: Option<DateTime<Utc>>,
    /// Only dead deliveries; otherwise delivered ones too.
    pub failed_only: bool,
}

/// Deliveries that one transaction of a replay changes.
pub(super) const BATCH: u64 = 500;

/// The deliveries of a client that a replay has still to queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) client_id: Uuid,
    pub(super) endpoint_id: Option<Uuid>,
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) until: Option<DateTime<Utc>>,
    /// Only those behind this one, by the time at which it was made and its id.
    pub(super) after: Option<(DateTime<Utc>, Uuid)>,
}

/// A delivery that is delivered or dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, FromQueryResult)]
pub(super) struct Finished {
    created_at: DateTime<Utc>,
    id: Uuid,
    /// When it was delivered or given up.
    next_at: DateTime<Utc>,
}

impl Finished {
    /// Where it stands among those of a range.
    pub(super) fn place(self) -> (DateTime<Utc>, Uuid) {
        (self.created_at, self.id)
    }
}

impl Store {
    /// Sends deliveries again, from the start of the schedule, with the same bytes and the same event id. Pending deliveries
    /// are left as they are. Each batch is a transaction of its own: a caller that stops waiting stops the replay, and the
    /// same replay again goes on from there. Returns how many deliveries are sent again.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn replay_deliveries(&self, replay: &Replay, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let clients = match replay.client_id {
            Some(client_id) => vec![client_id],
            None => self.list_clients().await?.into_iter().map(|client| client.id).collect(),
        };
        let states: &[DeliveryState] =
            if replay.failed_only { &[DeliveryState::Dead] } else { &[DeliveryState::Dead, DeliveryState::Delivered] };
        let mut replayed = 0;
        for client_id in clients {
            if let Some(id) = replay.delivery_id {
                replayed += queue_one(&self.write(), client_id, id, states, now).await?;
                self.want_deliveries();
                continue;
            }
            let Replay { endpoint_id, since, until, .. } = *replay;
            let mut range = Range { client_id, endpoint_id, since, until, after: None };
            loop {
                let batch = self.batch_of(&range, states).await?;
                replayed += queue_again(&self.write(), client_id, &batch, states, now).await?;
                self.want_deliveries();
                if (batch.len() as u64) < BATCH {
                    break;
                }
                range.after = batch.last().map(|last| last.place());
            }
        }
        Ok(replayed)
    }

    /// The first deliveries of a range in these states, in the order in which they were made.
    pub(super) async fn batch_of(&self, range: &Range, states: &[DeliveryState]) -> Result<Vec<Finished>, StoreError> {
        use webhook_delivery::Column::{ClientId, CreatedAt, EndpointId, Id, NextAt, State};
        let mut batch = Vec::new();
        // By the index, state by state.
        for state in states {
            let mut part = webhook_delivery::Entity::find().filter(ClientId.eq(range.client_id));
            part = part.filter(State.eq(*state));
            if let Some(endpoint_id) = range.endpoint_id {
                part = part.filter(EndpointId.eq(endpoint_id));
            }
            if let Some(until) = range.until {
                part = part.filter(CreatedAt.lt(until));
            }
            if let Some((at, id)) = range.after {
                part = part.filter(CreatedAt.gt(at).or(CreatedAt.eq(at).and(Id.gt(id))));
            }
            if let Some(since) = range.after.map(|(at, _)| at).or(range.since) {
                // What was made since then was delivered or given up later: no partition before is looked at.
                part = part.filter(CreatedAt.gte(since)).filter(NextAt.gte(earlier(since)));
            }
            let part = part.select_only().columns([CreatedAt, Id, NextAt]).order_by_asc(CreatedAt).order_by_asc(Id);
            batch.extend(part.limit(BATCH).into_model::<Finished>().all(&self.read()).await?);
        }
        batch.sort_unstable();
        batch.truncate(usize::try_from(BATCH).unwrap_or(usize::MAX));
        Ok(batch)
    }

    /// Sends one delivery of a client again, unless it is pending, with the claim of the request's key.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn replay_delivery(
        &self,
        client_id: Uuid,
        id: Uuid,
        claim: Option<ClientClaim>,
        now: DateTime<Utc>,
    ) -> Result<Once<()>, StoreError> {
        let states = [DeliveryState::Dead, DeliveryState::Delivered];
        let replayed = once!(self, claim, now, |transaction| {
            let queued = queue_one(transaction, client_id, id, &states, now).await;
            queued.map(|_| Ended::Changed(()))
        })?;
        self.want_deliveries();
        Ok(replayed)
    }
}

/// A little before `since`, which is a caller's.
fn earlier(since: DateTime<Utc>) -> DateTime<Utc> {
    since.checked_sub_signed(CLOCK_SKEW).unwrap_or(since)
}

/// Makes those of the deliveries that are still in these states pending again; how many. One that was
/// sent again meanwhile may be left as it is.
pub(super) async fn queue_again(
    database: &impl ConnectionTrait,
    client_id: Uuid,
    batch: &[Finished],
    states: &[DeliveryState],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    use webhook_delivery::Column::{ClientId, CreatedAt, Id, NextAt};
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(0) };
    let finished = || batch.iter().map(|delivery| delivery.next_at);
    let (earliest, latest) = (finished().min().unwrap_or_default(), finished().max().unwrap_or_default());
    let keys = batch.iter().map(|delivery| (client_id, delivery.id));
    let these = Condition::all()
        .add(with_keys(ClientId, Id, keys))
        // Only the partitions of the days on which they were finished.
        .add(NextAt.between(earliest, latest))
        // A range of an index, beside the keys: the planner takes what is less.
        .add(CreatedAt.between(first.created_at, last.created_at));
    queue(database, these, states, now).await
}

/// The same for one delivery.
async fn queue_one(
    database: &impl ConnectionTrait,
    client_id: Uuid,
    id: Uuid,
    states: &[DeliveryState],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    use webhook_delivery::Column::{ClientId, Id};
    queue(database, with_keys(ClientId, Id, [(client_id, id)]), states, now).await
}

async fn queue(
    database: &impl ConnectionTrait,
    these: Condition,
    states: &[DeliveryState],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let row = webhook_delivery::ActiveModel {
        state: Set(DeliveryState::Pending),
        schedule_step: Set(0),
        next_at: Set(now),
        lease_token: Set(None),
        delivered_at: Set(None),
        ..Default::default()
    };
    let in_states = webhook_delivery::Column::State.is_in(states.iter().copied());
    let update = webhook_delivery::Entity::update_many().set(row).filter(these).filter(in_states);
    Ok(update.exec(database).await?.rows_affected)
}
