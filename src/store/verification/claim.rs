//! Taking jobs up.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{job, user, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::users::{QUEUED, UserRecord, VERIFICATION};
use super::super::{Store, StoreError};
use super::changes::UNREADABLE_WAIT;
use super::{AttemptRecord, Changes};
use crate::ambient::Ambient;
use crate::domain::verification::{AttemptState, Input, Trigger};

/// When an attempt that an older version left out becomes REVIEW without an outcome; the default of the configuration.
const ADOPTED_DEADLINE: TimeDelta = TimeDelta::hours(24);

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
    /// `lease` has passed. Attempts that begin become running at `provider`, and their users VERIFYING; one that another
    /// provider had begun begins anew. Jobs that have nothing left to do are removed.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is claimed then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
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
        let peek = due().select_only().column(job::Column::Id).into_tuple::<Uuid>().one(&self.read()).await?;
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
        adopt(&transaction, &mut changes, &found, now).await?;
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
            let is_anothers = attempt.provider.as_deref() != Some(provider);
            if is_anothers && attempt.state == AttemptState::Review.as_str() {
                // Only the provider that asked for the review may think better of it; a person is at it.
                done.push(job.id);
                continue;
            }
            changes.within(attempt.id, job.trace_context.clone());
            if changes.apply(job.user_id, attempt.id, Input::Begun)?.is_none() {
                done.push(job.id);
                continue;
            }
            if is_anothers {
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

/// Gives the jobs that have none an attempt, where the user waits for it: while versions change, one from before there
/// were attempts may still make jobs.
async fn adopt(
    transaction: &super::Transaction,
    changes: &mut Changes<'_>,
    jobs: &[job::Model],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let orphan = |job: &job::Model| {
        let user = changes.waiting_for(job.user_id, job.attempt_id?)?;
        Some(verification_attempt::Model {
            id: job.attempt_id?,
            client_id: user.client_id,
            user_id: user.id,
            trigger: Trigger::Create.as_str().to_owned(),
            state: AttemptState::Pending.as_str().to_owned(),
            provider: None,
            assurance: None,
            reasons: serde_json::json!([]),
            reference: None,
            sealed_answer: None,
            created_at: job.created_at,
            started_at: None,
            finished_at: None,
            deadline_at: now + ADOPTED_DEADLINE,
        })
    };
    let attempts: Vec<_> = jobs.iter().filter_map(orphan).collect();
    if attempts.is_empty() {
        return Ok(());
    }
    tracing::warn!(count = attempts.len(), "verifications of an older version get their attempts");
    let rows = attempts.iter().cloned().map(IntoActiveModel::into_active_model);
    verification_attempt::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    attempts.into_iter().for_each(|attempt| changes.adopt(AttemptState::Pending, attempt));
    Ok(())
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
            last_error: job.last_error,
            trace_context: job.trace_context,
            attempt: attempts.remove(&job.attempt_id?)?,
            user: users.get(&job.user_id)?.clone(),
        })
    });
    Ok(claimed.collect())
}
