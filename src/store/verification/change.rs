//! One locked look at an attempt and its user, and what comes of it.

use chrono::{DateTime, Utc};
use entity::{job, review_step, user, verification_attempt};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

use crate::store::reviews::{REVIEW, ReviewStepRecord, steps_of};
use crate::store::users::{QUEUED, insert_events};
use crate::store::{NewEvent, Store, StoreError};

/// A worker's hold on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job_id: Uuid,
    /// The token it was claimed with.
    pub token: Uuid,
}

/// An attempt and its user, locked.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptView {
    /// The attempt.
    pub attempt_id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// Individual or business.
    pub kind: String,
    /// Where the user stands.
    pub status: String,
    /// Where the attempt stands.
    pub state: String,
    /// Whether it is the user's current attempt.
    pub is_current: bool,
    /// Who verifies; none before a worker took it up.
    pub provider: Option<String>,
    /// When it becomes REVIEW without an outcome.
    pub deadline_at: DateTime<Utc>,
    /// What reviewers did with it, oldest first.
    pub steps: Vec<ReviewStepRecord>,
}

/// What the caller decides about an attempt.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// What becomes of the attempt and its user; none: nothing.
    pub change: Option<AttemptChange>,
    /// A step of a reviewer to note.
    pub step: Option<ReviewStep>,
    /// What becomes of the job, where the caller holds its lease.
    pub job: JobChange,
}

/// New values; what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AttemptChange {
    /// The attempt's state.
    pub state: Option<&'static str>,
    /// Who verifies.
    pub provider: Option<String>,
    /// What a good outcome proves.
    pub assurance: Option<String>,
    /// Why: a list of codes, messages and paths.
    pub reasons: Option<serde_json::Value>,
    /// What the provider calls the attempt.
    pub reference: Option<String>,
    /// The provider's raw answer, sealed.
    pub sealed_answer: Option<Vec<u8>>,
    /// When a worker first took it up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The user's status; its reasons become those of the attempt where some are given, and none otherwise.
    pub status: Option<&'static str>,
    /// What receivers are told.
    pub events: Vec<NewEvent>,
}

/// What a reviewer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewStep {
    /// Identifier.
    pub id: Uuid,
    /// The reviewer; none for an operator at the command line.
    pub reviewer_id: Option<Uuid>,
    /// The name of the reviewer or operator.
    pub reviewer: String,
    /// What was done.
    pub action: &'static str,
    /// What the client is told.
    pub reason: Option<String>,
    /// For reviewers alone, sealed.
    pub sealed_note: Option<Vec<u8>>,
}

/// What becomes of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobChange {
    /// It stays with the worker.
    #[default]
    Keep,
    /// There is nothing more to do.
    Done,
    /// It is to be done again.
    Again {
        /// Not before.
        run_at: DateTime<Utc>,
        /// What went wrong, as a code; none: nothing.
        error: Option<&'static str>,
    },
}

/// What came of one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is written.
    Written,
    /// The lease has run out, and another worker may hold the job: nothing was written.
    LeaseLost,
    /// There is no such attempt.
    Unknown,
}

impl Store {
    /// Shows each attempt, locked with its user, to `decide`, and writes what it decides; all in one transaction. Those
    /// whose lease is lost are not shown. `decide` is given the position in `attempts` and must not block.
    ///
    /// To write many together saves round trips and commits: workers do it with all jobs of a claim.
    ///
    /// # Errors
    /// `Unavailable` without the database; then nothing was written, unless the connection broke during the commit.
    pub async fn change_attempts<D>(
        &self,
        now: DateTime<Utc>,
        attempts: &[(Uuid, Option<Lease>)],
        mut decide: D,
    ) -> Result<Vec<Settled>, StoreError>
    where
        D: FnMut(usize, &AttemptView) -> Decision + Send,
    {
        let transaction = self.begin().await?;
        let mut locked = lock(&transaction, attempts.iter().map(|(id, _)| *id)).await?;
        let held = held(&transaction, attempts.iter().filter_map(|(_, lease)| *lease)).await?;
        let mut settled = Vec::with_capacity(attempts.len());
        let mut done = Vec::new();
        for (position, (attempt_id, lease)) in attempts.iter().enumerate() {
            if lease.is_some_and(|lease| !held.contains(&lease.job_id)) {
                settled.push(Settled::LeaseLost);
                continue;
            }
            let Some(Locked { view, version }) = locked.remove(attempt_id) else {
                settled.push(Settled::Unknown);
                continue;
            };
            let Decision { change, step, job } = decide(position, &view);
            if let Some(change) = change {
                write(&transaction, now, &view, version, change).await?;
            }
            if let Some(step) = step {
                insert_step(&transaction, now, &view, step).await?;
            }
            match (lease, job) {
                (Some(lease), JobChange::Done) => done.push(lease.job_id),
                (Some(lease), JobChange::Again { run_at, error }) => {
                    again(&transaction, lease.job_id, run_at, error).await?;
                }
                (_, JobChange::Keep) | (None, _) => {}
            }
            settled.push(Settled::Written);
        }
        if !done.is_empty() {
            job::Entity::delete_many().filter(job::Column::Id.is_in(done)).exec(&transaction).await?;
        }
        transaction.commit().await?;
        Ok(settled)
    }
}

/// An attempt and its user, with the user's version.
struct Locked {
    view: AttemptView,
    version: i64,
}

#[derive(FromQueryResult)]
struct Owner {
    id: Uuid,
    kind: String,
    status: String,
    attempt_id: Option<Uuid>,
    version: i64,
}

/// Locks the users of these attempts, in one order whoever does it, so that two that overlap wait for each other and do
/// not deadlock; whatever changes an attempt locks its user first. The attempts are read under the lock.
async fn lock(
    transaction: &DatabaseTransaction,
    attempts: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Locked>, StoreError> {
    let ids: Vec<Uuid> = attempts.into_iter().collect();
    let of_attempts = verification_attempt::Entity::find()
        .select_only()
        .column(verification_attempt::Column::UserId)
        .filter(verification_attempt::Column::Id.is_in(ids.iter().copied()));
    let owners = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::Kind, user::Column::Status, user::Column::AttemptId])
        .column(user::Column::Version)
        .filter(user::Column::Id.in_subquery(sea_orm::QueryTrait::into_query(of_attempts)))
        .order_by_asc(user::Column::Id)
        .lock_exclusive()
        .into_model::<Owner>()
        .all(transaction)
        .await?;
    let owners: HashMap<Uuid, Owner> = owners.into_iter().map(|owner| (owner.id, owner)).collect();
    let rows = verification_attempt::Entity::find().filter(verification_attempt::Column::Id.is_in(ids));
    let rows = rows.all(transaction).await?;
    let reviews = rows.iter().filter(|attempt| attempt.state == REVIEW).map(|attempt| attempt.id);
    let mut steps = steps_of(transaction, reviews.collect()).await?;
    let locked = rows.into_iter().filter_map(|attempt| {
        let owner = owners.get(&attempt.user_id)?;
        let view = AttemptView {
            attempt_id: attempt.id,
            client_id: attempt.client_id,
            user_id: attempt.user_id,
            kind: owner.kind.clone(),
            status: owner.status.clone(),
            state: attempt.state,
            is_current: owner.attempt_id == Some(attempt.id),
            provider: attempt.provider,
            deadline_at: attempt.deadline_at,
            steps: steps.remove(&attempt.id).unwrap_or_default(),
        };
        Some((attempt.id, Locked { view, version: owner.version }))
    });
    Ok(locked.collect())
}

/// Those of the jobs whose lease is still held.
async fn held(
    transaction: &DatabaseTransaction,
    leases: impl Iterator<Item = Lease>,
) -> Result<HashSet<Uuid>, StoreError> {
    let leases: Vec<Lease> = leases.collect();
    if leases.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = job::Entity::find()
        .select_only()
        .columns([job::Column::Id, job::Column::LeaseToken])
        .filter(job::Column::Id.is_in(leases.iter().map(|lease| lease.job_id)))
        .order_by_asc(job::Column::Id)
        .lock_exclusive()
        .into_tuple::<(Uuid, Option<Uuid>)>()
        .all(transaction)
        .await?;
    let tokens: HashMap<Uuid, Option<Uuid>> = rows.into_iter().collect();
    let held = leases.iter().filter(|lease| tokens.get(&lease.job_id) == Some(&Some(lease.token)));
    Ok(held.map(|lease| lease.job_id).collect())
}

async fn write(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    view: &AttemptView,
    version: i64,
    change: AttemptChange,
) -> Result<(), StoreError> {
    let status_reasons = change.reasons.clone();
    let mut attempt = verification_attempt::ActiveModel { id: Set(view.attempt_id), ..Default::default() };
    if let Some(state) = change.state {
        attempt.state = Set(state.to_owned());
    }
    if let Some(provider) = change.provider {
        attempt.provider = Set(Some(provider));
    }
    if let Some(assurance) = change.assurance {
        attempt.assurance = Set(Some(assurance));
    }
    if let Some(reasons) = change.reasons {
        attempt.reasons = Set(reasons);
    }
    if let Some(reference) = change.reference {
        attempt.reference = Set(Some(reference));
    }
    if let Some(answer) = change.sealed_answer {
        attempt.sealed_answer = Set(Some(answer));
    }
    if let Some(at) = change.started_at {
        attempt.started_at = Set(Some(at));
    }
    if let Some(at) = change.finished_at {
        attempt.finished_at = Set(Some(at));
    }
    if attempt.is_changed() {
        verification_attempt::Entity::update(attempt).exec(transaction).await?;
    }
    let Some(status) = change.status else { return Ok(()) };
    // Every event has a number of its own, so the version rises by as many as there are.
    let last = version + Ord::max(i64::try_from(change.events.len()).unwrap_or(i64::MAX), 1);
    user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::value(status))
        .col_expr(user::Column::StatusReasons, Expr::value(status_reasons))
        .col_expr(user::Column::Version, Expr::value(last))
        .col_expr(user::Column::UpdatedAt, Expr::value(now))
        .filter(user::Column::Id.eq(view.user_id))
        .exec(transaction)
        .await?;
    insert_events(transaction, view.client_id, view.user_id, version, now, change.events).await
}

async fn again(
    transaction: &DatabaseTransaction,
    job_id: Uuid,
    run_at: DateTime<Utc>,
    error: Option<&'static str>,
) -> Result<(), StoreError> {
    let mut job = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(QUEUED))
        .col_expr(job::Column::LeaseToken, Expr::value(None::<Uuid>))
        .col_expr(job::Column::LeaseUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(job::Column::RunAt, Expr::value(run_at))
        .col_expr(job::Column::LastError, Expr::value(error));
    if error.is_none() {
        // It did not fail: the next failure is the first again.
        job = job.col_expr(job::Column::Attempts, Expr::value(0));
    }
    job.filter(job::Column::Id.eq(job_id)).exec(transaction).await?;
    Ok(())
}

async fn insert_step(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    view: &AttemptView,
    step: ReviewStep,
) -> Result<(), StoreError> {
    let row = review_step::Model {
        id: step.id,
        attempt_id: view.attempt_id,
        client_id: view.client_id,
        user_id: view.user_id,
        reviewer_id: step.reviewer_id,
        reviewer: step.reviewer,
        action: step.action.to_owned(),
        reason: step.reason,
        sealed_note: step.sealed_note,
        created_at: now,
    };
    row.into_active_model().insert(transaction).await?;
    Ok(())
}
