//! Taking jobs up.

use std::collections::HashMap;

use chrono::TimeDelta;
use entity::{job, user, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set};
use uuid::Uuid;

use super::super::users::{QUEUED, UserRecord, VERIFICATION};
use super::super::{Store, StoreError};
use super::changes::UNREADABLE_WAIT;
use super::{AttemptRecord, Changes};
use crate::ambient::Ambient;
use crate::domain::verification::Input;

/// A job under a lease, with all that its verification needs. The attempt is running and the user VERIFYING.
#[derive(Clone, Debug)]
pub struct ClaimedVerification {
    /// Identifier of the job.
    pub job_id: Uuid,
    /// Proves that the job is still ours when it is settled.
    pub lease: Uuid,
    /// How often it was started since the provider last answered, this time included.
    pub tries: u32,
    /// The trace of the request that asked for it, as a `traceparent`.
    pub trace_context: Option<String>,
    /// The attempt.
    pub attempt: AttemptRecord,
    /// The user.
    pub user: UserRecord,
}

impl Store {
    /// Claims up to `limit` verification jobs that are due, the longest due first, each by one worker alone until
    /// `lease` has passed. Attempts that begin become running at `provider`, and their users VERIFYING; one that another
    /// provider had begun begins anew. Jobs that have nothing left to do are removed.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is claimed then.
    pub async fn claim_verifications(
        &self,
        ambient: &dyn Ambient,
        provider: &str,
        limit: u64,
        lease: TimeDelta,
    ) -> Result<Vec<ClaimedVerification>, StoreError> {
        let now = ambient.now();
        let due = || jobs().filter(job::Column::RunAt.lte(now));
        // An idle worker asks often; on SQLite a transaction would take the write lock each time.
        let peek = due().select_only().column(job::Column::Id).into_tuple::<Uuid>().one(self.read()).await?;
        if peek.is_none() {
            return Ok(Vec::new());
        }
        let transaction = self.begin().await?;
        let found = due()
            .order_by_asc(job::Column::RunAt)
            .limit(limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&transaction)
            .await?;
        let users: Vec<_> = found.iter().map(|job| job.user_id).collect();
        let attempts: Vec<_> = found.iter().filter_map(|job| job.attempt_id).collect();
        let mut changes = Changes::begin(ambient, &transaction, &users, &attempts).await?;
        let (mut live, mut done, mut begun, mut later) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for job in found {
            if changes.is_unreadable(job.user_id, job.attempt_id.unwrap_or_default()) {
                later.push(job.id);
                continue;
            }
            let attempt = job.attempt_id.and_then(|id| changes.attempt(id)).cloned();
            let Some(attempt) = attempt.filter(|attempt| attempt.deadline_at > now) else {
                // The sweep makes an attempt past its deadline REVIEW.
                done.push(job.id);
                continue;
            };
            if changes.apply(job.user_id, attempt.id, Input::Begun)?.is_none() {
                done.push(job.id);
                continue;
            }
            if attempt.provider.as_deref() != Some(provider) {
                begun.push(attempt.id);
            }
            live.push(job);
        }
        changes.write(&transaction).await?;
        if !begun.is_empty() {
            let row = verification_attempt::ActiveModel {
                provider: Set(Some(provider.to_owned())),
                reference: Set(None),
                started_at: Set(Some(now)),
                ..Default::default()
            };
            let filter = verification_attempt::Column::Id.is_in(begun);
            verification_attempt::Entity::update_many().set(row).filter(filter).exec(&transaction).await?;
        }
        if !done.is_empty() {
            job::Entity::delete_many().filter(job::Column::Id.is_in(done)).exec(&transaction).await?;
        }
        if !later.is_empty() {
            let row = job::ActiveModel { run_at: Set(now + UNREADABLE_WAIT), ..Default::default() };
            job::Entity::update_many().set(row).filter(job::Column::Id.is_in(later)).exec(&transaction).await?;
        }
        let token = ambient.new_id();
        if !live.is_empty() {
            let row = job::ActiveModel {
                lease_token: Set(Some(token)),
                lease_until: Set(Some(now + lease)),
                run_at: Set(now + lease),
                ..Default::default()
            };
            job::Entity::update_many()
                .set(row)
                .col_expr(job::Column::Attempts, Expr::col(job::Column::Attempts).add(1))
                .filter(job::Column::Id.is_in(live.iter().map(|job| job.id)))
                .exec(&transaction)
                .await?;
        }
        let claimed = load(&transaction, live, token).await?;
        transaction.commit().await?;
        self.events_are_written();
        Ok(claimed)
    }
}

fn jobs() -> Select<job::Entity> {
    let verification = Condition::all().add(job::Column::State.eq(QUEUED)).add(job::Column::Kind.eq(VERIFICATION));
    job::Entity::find().filter(verification)
}

/// Reads the attempts and users of the jobs, as this transaction has left them.
async fn load(
    transaction: &super::Transaction,
    jobs: Vec<job::Model>,
    lease: Uuid,
) -> Result<Vec<ClaimedVerification>, StoreError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let ids = jobs.iter().filter_map(|job| job.attempt_id);
    let attempts = verification_attempt::Entity::find().filter(verification_attempt::Column::Id.is_in(ids));
    let attempts = attempts.all(transaction).await?.into_iter().map(|row| (row.id, AttemptRecord::from(row)));
    let mut attempts: HashMap<_, _> = attempts.collect();
    let users = user::Entity::find().filter(user::Column::Id.is_in(jobs.iter().map(|job| job.user_id)));
    let users = users.all(transaction).await?.into_iter().map(|row| (row.id, UserRecord::from(row)));
    let users: HashMap<_, _> = users.collect();
    let claimed = jobs.into_iter().filter_map(|job| {
        Some(ClaimedVerification {
            job_id: job.id,
            lease,
            // The row was read before this claim counted.
            tries: u32::try_from(job.attempts).unwrap_or_default().saturating_add(1),
            trace_context: job.trace_context,
            attempt: attempts.remove(&job.attempt_id?)?,
            user: users.get(&job.user_id)?.clone(),
        })
    });
    Ok(claimed.collect())
}
