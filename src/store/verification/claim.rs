//! Claiming jobs.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{job, user, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::rows::with_keys;
use super::super::users::{UserRecord, VERIFICATION};
use super::super::{Store, StoreError, in_transaction};
use super::changes::UNREADABLE_WAIT;
use super::{AttemptRecord, Changes, Subject, Transaction};
use crate::domain::verification::{AttemptState, Stimulus};
use crate::env::Env;

/// A job under a lease, with all that its verification needs. The attempt is running and the user VERIFYING.
#[derive(Clone, Debug)]
pub struct ClaimedVerification {
    /// Identifier of the job.
    pub job_id: Uuid,
    /// Proves that the job is still ours when it is settled.
    pub lease: Uuid,
    /// How often it was started since the provider last answered, this time included.
    pub tries: u32,
    /// Why the last try failed, as a code; None after an answer.
    pub last_error: Option<String>,
    /// The trace of the request that asked for it, as a `traceparent`.
    pub trace_context: Option<String>,
    /// The attempt.
    pub attempt: AttemptRecord,
    /// The user.
    pub user: UserRecord,
}

impl Store {
    /// Claims up to `limit` verification jobs that are due, the longest due first, each by one worker alone until
    /// `lease` has passed. Attempts that start become running at `provider`, and their users VERIFYING; one that another
    /// provider had started is started again. Jobs that have nothing left to do are removed.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is claimed then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn claim_verifications(
        &self,
        env: &dyn Env,
        provider: &str,
        limit: u64,
        lease: TimeDelta,
    ) -> Result<Vec<ClaimedVerification>, StoreError> {
        let now = env.now();
        // An idle worker asks often; on SQLite a transaction would take the write lock each time.
        let peek = due(now).select_only().column(job::Column::Id).into_tuple::<Uuid>().one(&self.read()).await?;
        if peek.is_none() {
            return Ok(Vec::new());
        }
        let claimed: Result<_, StoreError> =
            in_transaction!(self, |transaction| claim_in(transaction, env, now, provider, limit, lease).await);
        let claimed = claimed?;
        self.events_are_written();
        Ok(claimed)
    }
}

async fn claim_in(
    transaction: &Transaction,
    env: &dyn Env,
    now: DateTime<Utc>,
    provider: &str,
    limit: u64,
    lease: TimeDelta,
) -> Result<Vec<ClaimedVerification>, StoreError> {
    let first = due(now).order_by_asc(job::Column::RunAt).limit(limit);
    let found = transaction.claim(first).all(transaction).await?;
    let subject =
        |job: &job::Model| Subject { client_id: job.client_id, user_id: job.user_id, attempt_id: job.attempt_id };
    let mut changes = Changes::begin(env, transaction, &found.iter().map(subject).collect::<Vec<_>>()).await?;
    let (mut live, mut done, mut begun, mut later) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for job in found {
        let key = (job.client_id, job.id);
        if changes.is_unreadable(job.user_id, job.attempt_id) {
            later.push(key);
            continue;
        }
        let attempt = changes.attempt(job.attempt_id).cloned();
        let Some(attempt) = attempt.filter(|attempt| attempt.deadline_at > now) else {
            // A job of its own makes an attempt past its deadline REVIEW.
            done.push(key);
            continue;
        };
        let is_anothers = attempt.provider.as_deref() != Some(provider);
        if is_anothers && attempt.state == AttemptState::Review.into_str() {
            // Only the provider that asked for the review may still decide it.
            done.push(key);
            continue;
        }
        changes.within(attempt.id, job.trace_context.clone());
        if changes.apply(job.user_id, attempt.id, Stimulus::Begun)?.is_none() {
            done.push(key);
            continue;
        }
        if is_anothers {
            begun.push((attempt.client_id, attempt.id));
        }
        live.push(job);
    }
    changes.write(transaction).await?;
    if !begun.is_empty() {
        let row = verification_attempt::ActiveModel {
            provider: Set(Some(provider.to_owned())),
            sealed_reference: Set(None),
            started_at: Set(Some(now)),
            ..Default::default()
        };
        let filter = with_keys(verification_attempt::Column::ClientId, verification_attempt::Column::Id, begun);
        verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    }
    if !done.is_empty() {
        let filter = with_keys(job::Column::ClientId, job::Column::Id, done);
        job::Entity::delete_many().filter(filter).exec(transaction).await?;
    }
    if !later.is_empty() {
        let row = job::ActiveModel { run_at: Set(now + UNREADABLE_WAIT), ..Default::default() };
        let filter = with_keys(job::Column::ClientId, job::Column::Id, later);
        job::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    }
    let token = env.new_id();
    if !live.is_empty() {
        let row = job::ActiveModel { lease_token: Set(Some(token)), run_at: Set(now + lease), ..Default::default() };
        job::Entity::update_many()
            .set(row)
            .col_expr(job::Column::Attempts, Expr::col(job::Column::Attempts).add(1))
            .filter(with_keys(job::Column::ClientId, job::Column::Id, live.iter().map(|job| (job.client_id, job.id))))
            .exec(transaction)
            .await?;
    }
    let claimed = load(transaction, live, token).await?;
    Ok(claimed)
}

/// The verifications that are due.
fn due(now: DateTime<Utc>) -> Select<job::Entity> {
    job::Entity::find().filter(job::Column::Kind.eq(VERIFICATION)).filter(job::Column::RunAt.lte(now))
}

/// Reads the attempts and users of the jobs, as this transaction has left them.
async fn load(
    transaction: &Transaction,
    jobs: Vec<job::Model>,
    lease: Uuid,
) -> Result<Vec<ClaimedVerification>, StoreError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let attempts = verification_attempt::Entity::find().filter(with_keys(
        verification_attempt::Column::ClientId,
        verification_attempt::Column::Id,
        jobs.iter().map(|job| (job.client_id, job.attempt_id)),
    ));
    let attempts = attempts.all(transaction).await?.into_iter().map(|row| (row.id, AttemptRecord::from(row)));
    let mut attempts: HashMap<_, _> = attempts.collect();
    let keys = jobs.iter().map(|job| (job.client_id, job.user_id));
    let users = user::Entity::find().filter(with_keys(user::Column::ClientId, user::Column::Id, keys));
    let users = users.all(transaction).await?.into_iter().map(|row| (row.id, UserRecord::from(row)));
    let users: HashMap<_, _> = users.collect();
    let claimed = jobs.into_iter().filter_map(|job| {
        Some(ClaimedVerification {
            job_id: job.id,
            lease,
            // The row was read before this claim counted.
            tries: u32::try_from(job.attempts).unwrap_or_default().saturating_add(1),
            last_error: job.last_error,
            trace_context: job.trace_context,
            attempt: attempts.remove(&job.attempt_id)?,
            user: users.get(&job.user_id)?.clone(),
        })
    });
    Ok(claimed.collect())
}
