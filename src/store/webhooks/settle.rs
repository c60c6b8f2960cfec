//! What came of deliveries.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{webhook_attempt, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::{AttemptReport, DEAD, DELIVERED, EndpointRecord, NewDelivery, relay};
use crate::ambient::Ambient;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The endpoint has taken it.
    Delivered,
    /// It has not.
    Failed {
        /// When to try again; none: that was the last attempt.
        again_at: Option<DateTime<Utc>>,
        /// Until when the endpoint wants to be left alone.
        pause_until: Option<DateTime<Utc>>,
    },
    /// The endpoint wants nothing any more.
    Gone,
    /// It was not tried: the sender stops.
    HandedBack,
}

/// What came of one claimed delivery.
#[derive(Clone, Debug)]
pub struct DeliverySettlement {
    /// The delivery.
    pub delivery_id: Uuid,
    /// The lease under which it was sent.
    pub lease: Uuid,
    /// Where it went.
    pub endpoint_id: Uuid,
    /// How it ended.
    pub sent: Sent,
    /// What is kept of the attempt; none where it was not tried.
    pub report: Option<AttemptReport>,
}

/// When an endpoint that fails is left alone, and when for good.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// So many failures in a row pause it.
    pub pause_after: u32,
    /// How long at first; doubled with each further failure.
    pub first_pause: TimeDelta,
    /// How long at most.
    pub last_pause: TimeDelta,
    /// An endpoint that has only failed for so long is disabled.
    pub disable_after: TimeDelta,
}

/// What settling has changed.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// How many leases were still ours.
    pub held: usize,
    /// The endpoints that are disabled now.
    pub disabled: Vec<EndpointRecord>,
}

/// What the attempts of one settlement say of their endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    delivered: bool,
    failed: u32,
    gone: bool,
    pause_until: Option<DateTime<Utc>>,
}

/// Why an endpoint is disabled: it said so.
const GONE: &str = "gone";
/// Why an endpoint is disabled: nothing arrived for too long.
const FAILING: &str = "failing";

impl Store {
    /// Settles deliveries, all in one transaction. One whose lease another sender holds by now is passed over. The other
    /// endpoints of a client are told of one that is disabled: `announce` makes the delivery.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is settled then, and what was sent is sent again when its lease ends.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn settle_deliveries(
        &self,
        ambient: &dyn Ambient,
        mut settlements: Vec<DeliverySettlement>,
        health: &Health,
        announce: &(dyn Fn(&EndpointRecord, &EndpointRecord) -> NewDelivery + Sync),
    ) -> Result<Settled, StoreError> {
        if settlements.is_empty() {
            return Ok(Settled::default());
        }
        let now = ambient.now();
        let transaction = self.begin().await?;
        let held = held(&transaction, &settlements).await?;
        settlements.retain(|settlement| held.contains(&(settlement.delivery_id, settlement.lease)));
        let (mut delivered, mut dead, mut handed_back) = (Vec::new(), Vec::new(), Vec::new());
        let mut tallies: BTreeMap<Uuid, Tally> = BTreeMap::new();
        let mut attempts = Vec::new();
        let count = settlements.len();
        for DeliverySettlement { delivery_id, endpoint_id, sent, report, .. } in settlements {
            let tally = tallies.entry(endpoint_id).or_default();
            match sent {
                Sent::Delivered => {
                    tally.delivered = true;
                    delivered.push(delivery_id);
                }
                Sent::Failed { again_at, pause_until } => {
                    tally.failed += 1;
                    tally.pause_until = Ord::max(tally.pause_until, pause_until);
                    match again_at {
                        Some(at) => put_back(&transaction, delivery_id, at).await?,
                        None => dead.push(delivery_id),
                    }
                }
                Sent::Gone => {
                    tally.gone = true;
                    dead.push(delivery_id);
                }
                Sent::HandedBack => handed_back.push(delivery_id),
            }
            attempts.extend(report.map(|report| report.into_row(delivery_id)));
        }
        finish(&transaction, delivered, DELIVERED, now).await?;
        finish(&transaction, dead, DEAD, now).await?;
        hand_back(&transaction, handed_back, now).await?;
        if !attempts.is_empty() {
            webhook_attempt::Entity::insert_many(attempts).exec_without_returning(&transaction).await?;
        }
        let disabled = judge(&transaction, tallies, health, now).await?;
        for endpoint in &disabled {
            let others = others(&transaction, endpoint).await?;
            let news: Vec<_> = others.iter().map(|other| announce(endpoint, other).into_row(now)).collect();
            if !news.is_empty() {
                relay::insert(&transaction, news).await?;
            }
        }
        transaction.commit().await?;
        Ok(Settled { held: count, disabled })
    }
}

/// Those of the deliveries that are there, each with its lease; locked.
async fn held(
    transaction: &DatabaseTransaction,
    settlements: &[DeliverySettlement],
) -> Result<HashSet<(Uuid, Uuid)>, StoreError> {
    use webhook_delivery::Column::{Id, LeaseToken};
    let held = webhook_delivery::Entity::find()
        .select_only()
        .columns([Id, LeaseToken])
        .filter(Id.is_in(settlements.iter().map(|settlement| settlement.delivery_id)))
        .order_by_asc(Id)
        .lock(LockType::Update)
        .into_tuple::<(Uuid, Option<Uuid>)>()
        .all(transaction)
        .await?;
    Ok(held.into_iter().filter_map(|(id, lease)| Some((id, lease?))).collect())
}

async fn finish(
    transaction: &DatabaseTransaction,
    ids: Vec<Uuid>,
    state: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let row = webhook_delivery::ActiveModel {
        state: Set(state.to_owned()),
        lease_token: Set(None),
        // From here on its record is kept for a while.
        next_at: Set(now),
        delivered_at: Set((state == DELIVERED).then_some(now)),
        ..Default::default()
    };
    let filter = webhook_delivery::Column::Id.is_in(ids);
    webhook_delivery::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    Ok(())
}

async fn put_back(transaction: &DatabaseTransaction, id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
    use webhook_delivery::Column::{Id, ScheduleStep};
    let row = webhook_delivery::ActiveModel { lease_token: Set(None), next_at: Set(at), ..Default::default() };
    let update = webhook_delivery::Entity::update_many().set(row);
    let update = update.col_expr(ScheduleStep, Expr::col(ScheduleStep).add(1));
    update.filter(Id.eq(id)).exec(transaction).await?;
    Ok(())
}

async fn hand_back(transaction: &DatabaseTransaction, ids: Vec<Uuid>, now: DateTime<Utc>) -> Result<(), StoreError> {
    use webhook_delivery::Column::{Attempts, Id};
    if ids.is_empty() {
        return Ok(());
    }
    let row = webhook_delivery::ActiveModel { lease_token: Set(None), next_at: Set(now), ..Default::default() };
    let update = webhook_delivery::Entity::update_many().set(row).col_expr(Attempts, Expr::col(Attempts).sub(1));
    update.filter(Id.is_in(ids)).exec(transaction).await?;
    Ok(())
}

/// Writes what the attempts say of their endpoints; gives those that are disabled by it.
async fn judge(
    transaction: &DatabaseTransaction,
    tallies: BTreeMap<Uuid, Tally>,
    health: &Health,
    now: DateTime<Utc>,
) -> Result<Vec<EndpointRecord>, StoreError> {
    let rows = webhook_endpoint::Entity::find()
        .filter(webhook_endpoint::Column::Id.is_in(tallies.keys().copied()))
        .order_by_asc(webhook_endpoint::Column::Id)
        // Deliveries that refer to the endpoint may be inserted meanwhile.
        .lock(LockType::NoKeyUpdate)
        .all(transaction)
        .await?;
    let rows: HashMap<Uuid, webhook_endpoint::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut disabled = Vec::new();
    for (id, tally) in tallies {
        let Some(before) = rows.get(&id) else { continue };
        let mut after = before.clone();
        if tally.delivered {
            (after.failures, after.failing_since, after.paused_until) = (0, None, None);
        }
        if tally.failed > 0 && !tally.delivered {
            after.failures += i64::from(tally.failed);
            let since = *after.failing_since.get_or_insert(now);
            after.paused_until = pause(health, after.failures, now);
            let hopeless = now - since >= health.disable_after && after.failures >= i64::from(health.pause_after);
            if hopeless && after.disabled_at.is_none() {
                (after.disabled_at, after.disabled_reason) = (Some(now), Some(FAILING.to_owned()));
            }
        }
        after.paused_until = Ord::max(after.paused_until, tally.pause_until);
        if tally.gone && after.disabled_at.is_none() {
            (after.disabled_at, after.disabled_reason) = (Some(now), Some(GONE.to_owned()));
        }
        if after == *before {
            continue;
        }
        if after.disabled_at != before.disabled_at {
            disabled.push(EndpointRecord::read(after.clone())?);
        }
        let row = webhook_endpoint::ActiveModel {
            failures: Set(after.failures),
            failing_since: Set(after.failing_since),
            paused_until: Set(after.paused_until),
            disabled_at: Set(after.disabled_at),
            disabled_reason: Set(after.disabled_reason),
            ..Default::default()
        };
        let filter = webhook_endpoint::Column::Id.eq(id);
        webhook_endpoint::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    }
    Ok(disabled)
}

fn pause(health: &Health, failures: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let beyond = u32::try_from(failures - i64::from(health.pause_after)).ok()?;
    let doubled = 1_i32.checked_shl(Ord::min(beyond, 16)).unwrap_or(i32::MAX);
    Some(now + Ord::min(health.first_pause * doubled, health.last_pause))
}

/// The client's other endpoints that are told of one that is disabled.
async fn others(
    transaction: &DatabaseTransaction,
    disabled: &EndpointRecord,
) -> Result<Vec<EndpointRecord>, StoreError> {
    let rows = webhook_endpoint::Entity::find()
        .filter(webhook_endpoint::Column::ClientId.eq(disabled.client_id))
        .filter(webhook_endpoint::Column::Id.ne(disabled.id))
        .filter(webhook_endpoint::Column::DeletedAt.is_null())
        .filter(webhook_endpoint::Column::DisabledAt.is_null())
        .all(transaction)
        .await?;
    rows.into_iter().map(EndpointRecord::read).collect()
}

impl AttemptReport {
    fn into_row(self, delivery_id: Uuid) -> webhook_attempt::ActiveModel {
        let row = webhook_attempt::Model {
            delivery_id,
            number: self.number.into(),
            started_at: self.started_at,
            duration_ms: self.duration.num_milliseconds(),
            status_code: self.status_code.map(i64::from),
            error: self.error,
            sealed_answer: self.sealed_answer,
        };
        row.into_active_model()
    }
}
