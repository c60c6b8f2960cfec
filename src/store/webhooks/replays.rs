//! Replays of many deliveries, as work in the background.
//!
//! A replay walks over the deliveries of its endpoint by the time at which they were made, in whatever state they are, and
//! never back: so it queues each once, also if one is delivered again meanwhile, or its process is killed. A batch and how
//! far it has got are one transaction. The replay that has waited longest goes on first, by one batch, so that a long one
//! does not delay another.

use chrono::{DateTime, TimeDelta, Utc};
use entity::webhook_replay;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::claims::{Ended, once};
use super::super::{ClientClaim, Once, Store, StoreError, Transaction, in_transaction};
use super::endpoints::lock;
use super::replay::{BATCH, Range, queue_again};
use super::{DeliveryState, ReplayState};
use crate::env::Env;

/// For how long one process goes on with a replay alone; a batch takes far less.
const LEASE: TimeDelta = TimeDelta::minutes(1);

/// What a replay covers.
#[derive(Clone, Copy, Debug)]
pub struct NewReplay {
    /// Identifier.
    pub id: Uuid,
    /// The client that receives.
    pub client_id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// What was made then or later.
    pub since: Option<DateTime<Utc>>,
    /// What was made before then. Never what is made after the replay was asked for.
    pub until: Option<DateTime<Utc>>,
    /// What was delivered too; else only what is dead.
    pub delivered_too: bool,
}

/// A replay as it is stored.
pub type ReplayRecord = webhook_replay::Model;

impl Store {
    /// Adds a replay. None: the client has `most` that go on.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn add_replay(
        &self,
        new: NewReplay,
        most: u64,
        claim: Option<ClientClaim>,
        now: DateTime<Utc>,
    ) -> Result<Once<Option<ReplayRecord>>, StoreError> {
        // Times have microseconds, so that this is the first moment after now.
        let end = now + TimeDelta::microseconds(1);
        let row = webhook_replay::Model {
            client_id: new.client_id,
            id: new.id,
            endpoint_id: new.endpoint_id,
            state: ReplayState::Running,
            delivered_too: new.delivered_too,
            since: new.since,
            until: new.until.map_or(end, |until| Ord::min(until, end)),
            reached_at: None,
            reached_id: None,
            replayed: 0,
            run_at: now,
            lease_token: None,
            created_at: now,
            finished_at: None,
        };
        let added = once!(self, claim, now, |transaction| insert(transaction, row.clone(), most).await)?;
        self.want_deliveries();
        Ok(added)
    }

    /// A replay of this client.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_replay(&self, client_id: Uuid, id: Uuid) -> Result<Option<ReplayRecord>, StoreError> {
        Ok(of_client(client_id).filter(webhook_replay::Column::Id.eq(id)).one(&self.read()).await?)
    }

    /// The replays of a client, or those to one endpoint, the newest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_replays(
        &self,
        client_id: Uuid,
        endpoint_id: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<ReplayRecord>, StoreError> {
        let mut replays = of_client(client_id);
        if let Some(endpoint_id) = endpoint_id {
            replays = replays.filter(webhook_replay::Column::EndpointId.eq(endpoint_id));
        }
        Ok(replays.order_by_desc(webhook_replay::Column::Id).limit(limit).all(&self.read()).await?)
    }

    /// Stops a replay, unless it has ended.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn cancel_replay(
        &self,
        client_id: Uuid,
        id: Uuid,
        claim: Option<ClientClaim>,
        now: DateTime<Utc>,
    ) -> Result<Once<()>, StoreError> {
        let row = webhook_replay::ActiveModel {
            state: Set(ReplayState::Cancelled),
            finished_at: Set(Some(now)),
            lease_token: Set(None),
            ..Default::default()
        };
        let update = webhook_replay::Entity::update_many()
            .set(row)
            .filter(webhook_replay::Column::ClientId.eq(client_id))
            .filter(webhook_replay::Column::Id.eq(id))
            .filter(webhook_replay::Column::State.eq(ReplayState::Running));
        once!(self, claim, now, |transaction| {
            let updated = update.clone().exec(transaction).await;
            updated.map_err(StoreError::from).map(|_| Ended::Changed(()))
        })
    }

    /// Goes on with the replay that has waited longest, by one batch. False: none is due.
    ///
    /// # Errors
    /// `Unavailable` without the database; the batch is queued whole or not at all.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn continue_replay(&self, env: &dyn Env) -> Result<bool, StoreError> {
        let now = env.now();
        // Without a lock: most of the time there is none.
        if due(now).one(&self.read()).await?.is_none() {
            return Ok(false);
        }
        let token = env.new_id();
        let claimed: Result<_, StoreError> = in_transaction!(self, |transaction| claim(transaction, token, now).await);
        let Some(replay) = claimed? else { return Ok(false) };
        let states: &[_] = match replay.delivered_too {
            true => &[DeliveryState::Dead, DeliveryState::Delivered],
            false => &[DeliveryState::Dead],
        };
        let range = Range {
            client_id: replay.client_id,
            endpoint_id: Some(replay.endpoint_id),
            since: replay.since,
            until: Some(replay.until),
            after: replay.reached_at.zip(replay.reached_id),
        };
        let batch = self.batch_of(&range, states).await?;
        let queued: Result<_, StoreError> = in_transaction!(self, |transaction| {
            if !hold(transaction, &replay, token).await? {
                return Ok(0);
            }
            let queued = queue_again(transaction, replay.client_id, &batch, states, now).await?;
            let is_done = (batch.len() as u64) < BATCH;
            let last = batch.last().map(|last| last.place()).or(range.after);
            let row = webhook_replay::ActiveModel {
                state: Set(if is_done { ReplayState::Done } else { ReplayState::Running }),
                reached_at: Set(last.map(|(at, _)| at)),
                reached_id: Set(last.map(|(_, id)| id)),
                replayed: Set(replay.replayed.saturating_add_unsigned(queued)),
                run_at: Set(now),
                lease_token: Set(None),
                finished_at: Set(is_done.then_some(now)),
                ..Default::default()
            };
            change(transaction, &replay, row).await?;
            Ok::<_, StoreError>(queued)
        });
        queued?;
        self.want_deliveries();
        Ok(true)
    }

    /// Prunes the replays that ended before `before`.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn prune_replays(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let old = webhook_replay::Column::FinishedAt.lt(before);
        webhook_replay::Entity::delete_many().filter(old).exec(&self.write()).await?;
        Ok(())
    }
}

fn of_client(client_id: Uuid) -> Select<webhook_replay::Entity> {
    webhook_replay::Entity::find().filter(webhook_replay::Column::ClientId.eq(client_id))
}

fn due(now: DateTime<Utc>) -> Select<webhook_replay::Entity> {
    webhook_replay::Entity::find()
        .filter(webhook_replay::Column::State.eq(ReplayState::Running))
        .filter(webhook_replay::Column::RunAt.lte(now))
        .order_by_asc(webhook_replay::Column::RunAt)
        .limit(1)
}

/// Takes the lease of the replay that has waited longest.
async fn claim(transaction: &Transaction, token: Uuid, now: DateTime<Utc>) -> Result<Option<ReplayRecord>, StoreError> {
    let due = due(now).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let Some(replay) = due.one(transaction).await? else { return Ok(None) };
    let row =
        webhook_replay::ActiveModel { lease_token: Set(Some(token)), run_at: Set(now + LEASE), ..Default::default() };
    change(transaction, &replay, row).await?;
    Ok(Some(replay))
}

/// Whether the lease is still ours and the replay goes on; locked until the transaction ends.
async fn hold(transaction: &Transaction, replay: &ReplayRecord, token: Uuid) -> Result<bool, StoreError> {
    let held = of_client(replay.client_id)
        .filter(webhook_replay::Column::Id.eq(replay.id))
        .filter(webhook_replay::Column::State.eq(ReplayState::Running))
        .filter(webhook_replay::Column::LeaseToken.eq(token))
        .lock_exclusive();
    Ok(held.one(transaction).await?.is_some())
}

async fn change(
    transaction: &Transaction,
    replay: &ReplayRecord,
    row: webhook_replay::ActiveModel,
) -> Result<(), StoreError> {
    webhook_replay::Entity::update_many()
        .set(row)
        .filter(webhook_replay::Column::ClientId.eq(replay.client_id))
        .filter(webhook_replay::Column::Id.eq(replay.id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Inserts a replay, unless its client has `most` that go on.
async fn insert(
    transaction: &Transaction,
    row: ReplayRecord,
    most: u64,
) -> Result<Ended<Option<ReplayRecord>>, StoreError> {
    lock(transaction, row.client_id).await?;
    let running = of_client(row.client_id).filter(webhook_replay::Column::State.eq(ReplayState::Running));
    if running.count(transaction).await? >= most {
        return Ok(Ended::Unchanged(None));
    }
    let inserted = webhook_replay::Entity::insert(row.clone().into_active_model());
    inserted.exec_without_returning(transaction).await?;
    Ok(Ended::Changed(Some(row)))
}
