//! Starting an attempt for a user that exists.

use chrono::{DateTime, Utc};
use entity::{idempotency_key, job, outbox, user, user_history, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::history::NewEntry;
use super::super::rows::with_keys;
use super::super::user_counts::CountChange;
use super::super::{
    IdempotencyRecord, IdempotencyScope, NewClaim, NewVerification, Store, StoreError, WriteError, in_transaction,
};
use super::changes::events;
use super::{AttemptRecord, Row, Transaction, word};
use crate::domain::history::Action;
use crate::domain::status::Status;
use crate::domain::verification::{AttemptState, State, Stimulus, transition};
use crate::env::Env;
use crate::telemetry;

/// How a request to verify a user ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// The attempt is stored, durably.
    Started(AttemptRecord),
    /// The key was used before, or by a concurrent request that was faster; nothing was written.
    Claimed(IdempotencyRecord),
    /// The user was changed since it was read.
    Changed,
    /// A user of this status is not verified.
    NotAllowed(Status),
    /// The client has no such user.
    NoUser,
}

impl Store {
    /// Starts an attempt for a user that still has the version `expected`, with the claim of the request's key, all or
    /// nothing.
    ///
    /// # Errors
    /// `Unavailable` without the database; then the outcome may be unknown, and a retry with the same key finds it out.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn start_verification(
        &self,
        env: &dyn Env,
        client_id: Uuid,
        user_id: Uuid,
        expected: i64,
        new: NewVerification,
        claim: NewClaim,
    ) -> Result<Start, StoreError> {
        let scope = IdempotencyScope { client_id, operation: claim.operation, key: claim.key };
        let started: Result<_, WriteError> = in_transaction!(self, |transaction| {
            start_in(transaction, env, scope, user_id, expected, new.clone(), &claim).await
        });
        match started {
            Ok(start) => {
                if matches!(start, Start::Started(_)) {
                    self.events_are_written();
                }
                Ok(start)
            }
            Err(WriteError::Failed(error)) => Err(error),
            // The key was claimed for another user meanwhile; of one user, the lock lets one request in at a time.
            Err(WriteError::Conflict(error)) => match self.find_claim(&scope).await? {
                Some(claim) => Ok(Start::Claimed(claim)),
                None => Err(error),
            },
        }
    }
}

async fn start_in(
    transaction: &Transaction,
    env: &dyn Env,
    scope: IdempotencyScope,
    user_id: Uuid,
    expected: i64,
    new: NewVerification,
    claim: &NewClaim,
) -> Result<Start, WriteError> {
    let now = env.now();
    let user = Row::lock(transaction, scope.client_id, user_id).await?;
    let Some(user) = user else { return Ok(Start::NoUser) };
    // The request that held the lock before may have used the key.
    let key = (scope.client_id, scope.digest());
    if let Some(row) = idempotency_key::Entity::find_by_id(key).one(transaction).await? {
        return Ok(Start::Claimed(IdempotencyRecord::read(row)?));
    }
    if user.version != expected {
        return Ok(Start::Changed);
    }
    let attempt_id = new.attempt_id;
    let started = start_attempt(transaction, env, now, &user, new).await?;
    let Some(attempt) = started else { return Ok(Start::NotAllowed(user.status)) };
    let row = claim.clone().into_row(scope.client_id, user_id, Some(attempt_id), now);
    idempotency_key::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(Start::Started(attempt))
}

/// Within a transaction that has locked the user (`Row::lock`): replaces the current attempt by `new`, with its job and the
/// events of the transition. None: the user's status does not allow it, and nothing is written.
///
/// The user's version rises by one for each event (at least by one), from `user.version` on: a caller that changes the
/// user in the same transaction passes the version that its own change has reached.
pub(in crate::store) async fn start_attempt(
    transaction: &Transaction,
    env: &dyn Env,
    now: DateTime<Utc>,
    user: &Row,
    new: NewVerification,
) -> Result<Option<AttemptRecord>, StoreError> {
    let current = match user.attempt_id {
        None => None,
        Some(id) => verification_attempt::Entity::find_by_id((user.client_id, id)).one(transaction).await?,
    };
    let attempt = current.as_ref().map(|attempt| word(&attempt.state, "an attempt's state")).transpose()?;
    let trigger = word(new.trigger, "a trigger")?;
    let stimulus = Stimulus::Started(trigger);
    let before = State { status: user.status, attempt, in_human_hands: false };
    let Ok(next) = transition(before, stimulus) else { return Ok(None) };
    if let Some(current) = current.filter(|_| attempt.is_some_and(|state: AttemptState| !state.is_final())) {
        let row = verification_attempt::ActiveModel {
            state: Set(AttemptState::Superseded.into_str().to_owned()),
            finished_at: Set(Some(now)),
            ..Default::default()
        };
        let key = [(current.client_id, current.id)];
        let filter = with_keys(verification_attempt::Column::ClientId, verification_attempt::Column::Id, key);
        verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    }
    let events = events(env, now, user, stimulus, &next, telemetry::trace_context());
    let row = user::ActiveModel {
        status: Set(next.status.into_str().to_owned()),
        status_reasons: Set(None),
        attempt_id: Set(Some(new.attempt_id)),
        verification_triggered: Set(true),
        updated_at: Set(now),
        ..Default::default()
    };
    user::Entity::update_many()
        .set(row)
        .col_expr(user::Column::Version, Expr::value(user.version).add(next.version_increment()))
        .filter(user::Column::ClientId.eq(user.client_id))
        .filter(user::Column::Id.eq(user.id))
        .exec(transaction)
        .await?;
    let (before, after) = (Some(user.status.into_str()), next.status.into_str());
    let change = CountChange::of((user.client_id, user.id), user.kind.into_str(), before, after);
    change.write(transaction, env.new_id()).await?;
    let attempt_id = new.attempt_id;
    let entry = NewEntry {
        what: Action::of(stimulus),
        version: user.version + next.version_increment(),
        fields: Vec::new(),
        status: (user.status.into_str().to_owned(), next.status.into_str().to_owned()),
        attempt_id: Some(attempt_id),
    };
    let entry = entry.into_row(user.client_id, user.id, now);
    user_history::Entity::insert(entry).exec_without_returning(transaction).await?;
    let (attempt, job) = new.into_rows(user.client_id, user.id, now);
    verification_attempt::Entity::insert(attempt).exec_without_returning(transaction).await?;
    job::Entity::insert(job).exec_without_returning(transaction).await?;
    if !events.is_empty() {
        outbox::Entity::insert_many(events).exec_without_returning(transaction).await?;
    }
    let attempt = verification_attempt::Entity::find_by_id((user.client_id, attempt_id)).one(transaction).await?;
    Ok(attempt.map(AttemptRecord::from))
}
