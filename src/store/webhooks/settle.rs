//! The results of deliveries.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{webhook_attempt, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::rows::with_keys;
use super::super::{Store, StoreError, Transaction, in_transaction};
use super::{AttemptReport, DeliveryState, DisabledReason, EndpointRecord, NewDelivery, relay};
use crate::env::Env;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The endpoint has accepted it.
    Delivered,
    /// It has not.
    Failed {
        /// When to try again; none: that was the last attempt.
        again_at: Option<DateTime<Utc>>,
        /// Until when the endpoint asks for a pause.
        pause_until: Option<DateTime<Utc>>,
    },
    /// The endpoint is gone for good.
    Gone,
    /// It was not tried: the sender stops.
    HandedBack,
}

/// The result of one claimed delivery.
#[derive(Clone, Debug)]
pub struct DeliverySettlement {
    /// The client that receives.
    pub client_id: Uuid,
    /// The delivery.
    pub delivery_id: Uuid,
    /// The lease under which it was sent.
    pub lease: Uuid,
    /// Where it went.
    pub endpoint_id: Uuid,
    /// How it ended.
    pub sent: DeliveryOutcome,
    /// The record of the attempt; None if it was not tried.
    pub report: Option<AttemptReport>,
}

/// When an endpoint that fails is paused, and when it is disabled.
#[derive(Clone, Copy, Debug)]
pub struct FailurePolicy {
    /// The number of failures in a row that pauses it.
    pub pause_after: u32,
    /// How long at first; doubled with each further failure.
    pub first_pause: TimeDelta,
    /// How long at most.
    pub last_pause: TimeDelta,
    /// An endpoint whose attempts have all failed for this long is disabled.
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

/// The attempts of one settlement, counted for their endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    delivered: bool,
    failed: u32,
    gone: bool,
    pause_until: Option<DateTime<Utc>>,
}

/// The deliveries or endpoints of a statement, each of a client and an id.
type Keys = Vec<(Uuid, Uuid)>;

impl Store {
    /// Settles deliveries, all in one transaction. One whose lease another sender holds is skipped. The other
    /// endpoints of a client get a notice of one that is disabled: `announce` makes the delivery.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is settled then, and what was sent is sent again when its lease ends.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn settle_deliveries(
        &self,
        env: &dyn Env,
        settlements: Vec<DeliverySettlement>,
        health: &FailurePolicy,
        announce: &(dyn Fn(&EndpointRecord, &EndpointRecord) -> NewDelivery + Sync),
    ) -> Result<Settled, StoreError> {
        if settlements.is_empty() {
            return Ok(Settled::default());
        }
        let now = env.now();
        in_transaction!(self, |transaction| settle_in(transaction, settlements.clone(), health, announce, now).await)
    }
}

async fn settle_in(
    transaction: &Transaction,
    mut settlements: Vec<DeliverySettlement>,
    health: &FailurePolicy,
    announce: &(dyn Fn(&EndpointRecord, &EndpointRecord) -> NewDelivery + Sync),
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    let held = held(transaction, &settlements).await?;
    settlements.retain(|settlement| held.contains(&(settlement.delivery_id, settlement.lease)));
    let (mut delivered, mut dead, mut handed_back) = (Vec::new(), Vec::new(), Vec::new());
    let mut tallies: BTreeMap<(Uuid, Uuid), Tally> = BTreeMap::new();
    let mut attempts = Vec::new();
    let count = settlements.len();
    for DeliverySettlement { client_id, delivery_id, endpoint_id, sent, report, .. } in settlements {
        let key = (client_id, delivery_id);
        let tally = tallies.entry((client_id, endpoint_id)).or_default();
        match sent {
            DeliveryOutcome::Delivered => {
                tally.delivered = true;
                delivered.push(key);
            }
            DeliveryOutcome::Failed { again_at, pause_until } => {
                tally.failed += 1;
                tally.pause_until = Ord::max(tally.pause_until, pause_until);
                match again_at {
                    Some(at) => put_back(transaction, key, at).await?,
                    None => dead.push(key),
                }
            }
            DeliveryOutcome::Gone => {
                tally.gone = true;
                dead.push(key);
            }
            DeliveryOutcome::HandedBack => handed_back.push(key),
        }
        attempts.extend(report.map(|report| report.into_row(client_id, delivery_id)));
    }
    finish(transaction, delivered, DeliveryState::Delivered, now).await?;
    finish(transaction, dead, DeliveryState::Dead, now).await?;
    hand_back(transaction, handed_back, now).await?;
    if !attempts.is_empty() {
        webhook_attempt::Entity::insert_many(attempts).exec_without_returning(transaction).await?;
    }
    let disabled = judge(transaction, tallies, health, now).await?;
    for endpoint in &disabled {
        let others = others(transaction, endpoint).await?;
        let news: Vec<_> = others.iter().map(|other| announce(endpoint, other).into_row(now)).collect();
        if !news.is_empty() {
            relay::insert(transaction, news).await?;
        }
    }
    Ok(Settled { held: count, disabled })
}

/// The lease of each delivery that is pending; locked.
async fn held(
    transaction: &Transaction,
    settlements: &[DeliverySettlement],
) -> Result<HashSet<(Uuid, Uuid)>, StoreError> {
    use webhook_delivery::Column::{ClientId, Id, LeaseToken, State};
    let keys = settlements.iter().map(|settlement| (settlement.client_id, settlement.delivery_id));
    let held = webhook_delivery::Entity::find()
        .select_only()
        .columns([Id, LeaseToken])
        .filter(with_keys(ClientId, Id, keys))
        .filter(State.eq(DeliveryState::Pending))
        .order_by_asc(Id)
        .lock(LockType::Update)
        .into_tuple::<(Uuid, Option<Uuid>)>()
        .all(transaction)
        .await?;
    Ok(held.into_iter().filter_map(|(id, lease)| Some((id, lease?))).collect())
}

async fn finish(
    transaction: &Transaction,
    keys: Keys,
    state: DeliveryState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let row = webhook_delivery::ActiveModel {
        state: Set(state),
        lease_token: Set(None),
        // From here on its record is kept for a while.
        next_at: Set(now),
        delivered_at: Set((state == DeliveryState::Delivered).then_some(now)),
        ..Default::default()
    };
    webhook_delivery::Entity::update_many().set(row).filter(pending(keys)).exec(transaction).await?;
    Ok(())
}

async fn put_back(transaction: &Transaction, key: (Uuid, Uuid), at: DateTime<Utc>) -> Result<(), StoreError> {
    use webhook_delivery::Column::ScheduleStep;
    let row = webhook_delivery::ActiveModel { lease_token: Set(None), next_at: Set(at), ..Default::default() };
    let update = webhook_delivery::Entity::update_many().set(row);
    let update = update.col_expr(ScheduleStep, Expr::col(ScheduleStep).add(1));
    update.filter(pending(vec![key])).exec(transaction).await?;
    Ok(())
}

async fn hand_back(transaction: &Transaction, keys: Keys, now: DateTime<Utc>) -> Result<(), StoreError> {
    use webhook_delivery::Column::Attempts;
    if keys.is_empty() {
        return Ok(());
    }
    let row = webhook_delivery::ActiveModel { lease_token: Set(None), next_at: Set(now), ..Default::default() };
    let update = webhook_delivery::Entity::update_many().set(row).col_expr(Attempts, Expr::col(Attempts).sub(1));
    update.filter(pending(keys)).exec(transaction).await?;
    Ok(())
}

/// The deliveries that this transaction has locked: as pending ones they are in one partition.
fn pending(keys: Keys) -> Condition {
    use webhook_delivery::Column::{ClientId, Id, State};
    Condition::all().add(with_keys(ClientId, Id, keys)).add(State.eq(DeliveryState::Pending))
}

/// Writes the health of the endpoints; returns those that it disables.
async fn judge(
    transaction: &Transaction,
    tallies: BTreeMap<(Uuid, Uuid), Tally>,
    health: &FailurePolicy,
    now: DateTime<Utc>,
) -> Result<Vec<EndpointRecord>, StoreError> {
    let endpoints = |keys: Keys| with_keys(webhook_endpoint::Column::ClientId, webhook_endpoint::Column::Id, keys);
    let rows = webhook_endpoint::Entity::find()
        .filter(endpoints(tallies.keys().copied().collect()))
        .order_by_asc(webhook_endpoint::Column::Id)
        // Deliveries that refer to the endpoint may be inserted meanwhile.
        .lock(LockType::NoKeyUpdate)
        .all(transaction)
        .await?;
    let rows: HashMap<_, _> = rows.into_iter().map(|row| ((row.client_id, row.id), row)).collect();
    let mut disabled = Vec::new();
    for (key, tally) in tallies {
        let Some(before) = rows.get(&key) else { continue };
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
                (after.disabled_at, after.disabled_reason) = (Some(now), Some(DisabledReason::Failing));
            }
        }
        after.paused_until = Ord::max(after.paused_until, tally.pause_until);
        if tally.gone && after.disabled_at.is_none() {
            (after.disabled_at, after.disabled_reason) = (Some(now), Some(DisabledReason::Gone));
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
        webhook_endpoint::Entity::update_many().set(row).filter(endpoints(vec![key])).exec(transaction).await?;
    }
    Ok(disabled)
}

fn pause(health: &FailurePolicy, failures: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let beyond = u32::try_from(failures - i64::from(health.pause_after)).ok()?;
    let doubled = 1_i32.checked_shl(Ord::min(beyond, 16)).unwrap_or(i32::MAX);
    Some(now + Ord::min(health.first_pause * doubled, health.last_pause))
}

/// The client's other endpoints, which get a notice of one that is disabled.
async fn others(transaction: &Transaction, disabled: &EndpointRecord) -> Result<Vec<EndpointRecord>, StoreError> {
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
    fn into_row(self, client_id: Uuid, delivery_id: Uuid) -> webhook_attempt::ActiveModel {
        let row = webhook_attempt::Model {
            client_id,
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
