//! Starting an attempt for a user that exists.

use chrono::{DateTime, Utc};
use entity::{event, idempotency_key, job, user, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Claim, ClaimScope, NewClaim, NewVerification, Store, StoreError, WriteError};
use super::changes::{events, rise};
use super::{AttemptRecord, Row, Transaction, word};
use crate::ambient::Ambient;
use crate::domain::status::Status;
use crate::domain::verification::{AttemptState, Input, Standing, transition};
use crate::telemetry;

/// How a request to verify a user ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// The attempt is there now, durably.
    Started(AttemptRecord),
    /// The key was used before, or by a request that ran beside this one and won; nothing was written.
    Claimed(Claim),
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
        ambient: &dyn Ambient,
        client_id: Uuid,
        user_id: Uuid,
        expected: i64,
        new: NewVerification,
        claim: NewClaim,
    ) -> Result<Start, StoreError> {
        let scope = ClaimScope { client_id, operation: claim.operation, key: claim.key };
        match self.try_start(ambient, scope, user_id, expected, new, claim).await {
            Ok(start) => Ok(start),
            Err(WriteError::Failed(error)) => Err(error),
            // The key was claimed for another user meanwhile; of one user, the lock lets one request in at a time.
            Err(WriteError::Conflict(error)) => match self.find_claim(&scope).await? {
                Some(claim) => Ok(Start::Claimed(claim)),
                None => Err(error),
            },
        }
    }

    async fn try_start(
        &self,
        ambient: &dyn Ambient,
        scope: ClaimScope,
        user_id: Uuid,
        expected: i64,
        new: NewVerification,
        claim: NewClaim,
    ) -> Result<Start, WriteError> {
        let now = ambient.now();
        let transaction = self.begin().await.map_err(WriteError::Failed)?;
        let user = Row::lock(&transaction, &[user_id]).await.map_err(WriteError::Failed)?.pop();
        let Some(user) = user.filter(|user| user.client_id == scope.client_id) else { return Ok(Start::NoUser) };
        // Whoever held the lock before may have used the key.
        let key = (scope.client_id, scope.operation.to_owned(), scope.key);
        if let Some(row) = idempotency_key::Entity::find_by_id(key).one(&transaction).await? {
            return Claim::read(row).map(Start::Claimed).map_err(WriteError::Failed);
        }
        if user.version != expected {
            return Ok(Start::Changed);
        }
        let attempt_id = new.attempt_id;
        let started = start_attempt(&transaction, ambient, now, &user, new).await.map_err(WriteError::Failed)?;
        let Some(attempt) = started else { return Ok(Start::NotAllowed(user.status)) };
        let row = idempotency_key::ActiveModel {
            client_id: Set(scope.client_id),
            operation: Set(scope.operation.to_owned()),
            key: Set(scope.key),
            fingerprint: Set(claim.fingerprint.to_vec()),
            user_id: Set(user_id),
            resource_id: Set(Some(attempt_id)),
            created_at: Set(now),
        };
        idempotency_key::Entity::insert(row).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        self.events_are_written();
        Ok(Start::Started(attempt))
    }
}

/// Within a transaction that has locked the user (`Row::lock`): takes the place of the current attempt and starts `new`,
/// with its job and the events of the transition. None: the user's status does not allow it, and nothing is written.
///
/// The user's version rises by one for each event (at least by one), from `user.version` on: a caller that changes the
/// user in the same transaction passes the version that its own change has reached.
pub(in crate::store) async fn start_attempt(
    transaction: &Transaction,
    ambient: &dyn Ambient,
    now: DateTime<Utc>,
    user: &Row,
    new: NewVerification,
) -> Result<Option<AttemptRecord>, StoreError> {
    let current = match user.attempt_id {
        None => None,
        Some(id) => verification_attempt::Entity::find_by_id(id).one(transaction).await?,
    };
    let attempt = current.as_ref().map(|attempt| word(&attempt.state, "an attempt's state")).transpose()?;
    let trigger = word(new.trigger, "a trigger")?;
    let Ok(next) = transition(Standing { status: user.status, attempt, attended: false }, Input::Started(trigger))
    else {
        return Ok(None);
    };
    if let Some(current) = current.filter(|_| attempt.is_some_and(|state: AttemptState| !state.is_final())) {
        let row = verification_attempt::ActiveModel {
            state: Set(AttemptState::Superseded.as_str().to_owned()),
            finished_at: Set(Some(now)),
            ..Default::default()
        };
        let filter = verification_attempt::Column::Id.eq(current.id);
        verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    }
    let events = events(ambient, now, user, &next, &[], telemetry::trace_context());
    let rise = rise(&next);
    let row = user::ActiveModel {
        status: Set(next.status.as_str().to_owned()),
        status_reasons: Set(None),
        attempt_id: Set(Some(new.attempt_id)),
        verification_triggered: Set(true),
        updated_at: Set(now),
        ..Default::default()
    };
    user::Entity::update_many()
        .set(row)
        .col_expr(user::Column::Version, Expr::value(user.version).add(rise))
        .filter(user::Column::Id.eq(user.id))
        .exec(transaction)
        .await?;
    let attempt_id = new.attempt_id;
    let (attempt, job) = new.into_rows(user.client_id, user.id, now);
    verification_attempt::Entity::insert(attempt).exec_without_returning(transaction).await?;
    job::Entity::insert(job).exec_without_returning(transaction).await?;
    if !events.is_empty() {
        event::Entity::insert_many(events).exec_without_returning(transaction).await?;
    }
    let attempt = verification_attempt::Entity::find_by_id(attempt_id).one(transaction).await?;
    Ok(attempt.map(AttemptRecord::from))
}
