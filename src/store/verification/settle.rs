//! The results of jobs, and what decides an attempt without a job: its deadline, a callback, a reviewer.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::{job, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::rows::with_keys;
use super::super::{Store, StoreError, in_transaction};
use super::changes::UNREADABLE_WAIT;
use super::{Changes, Subject, Transaction};
use crate::domain::verification::{Outcome, Stimulus};
use crate::env::Env;

/// The provider's answer, which is stored with the attempt; what is None is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderAnswer {
    /// What the provider calls the attempt, sealed under the user's data key.
    pub sealed_reference: Option<Vec<u8>>,
    /// Its raw answer, sealed under the user's data key.
    pub sealed: Option<Vec<u8>>,
}

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerificationResult {
    /// An outcome; with `again_at` a provisional one, of which the provider is asked again.
    Outcome {
        /// The outcome.
        outcome: Outcome,
        /// When to ask again; None: that was all.
        again_at: Option<DateTime<Utc>>,
    },
    /// The provider is still processing it.
    Pending {
        /// When to ask again.
        again_at: DateTime<Utc>,
    },
    /// The try failed.
    Failed {
        /// When to try again.
        again_at: DateTime<Utc>,
        /// Why, as a code.
        code: &'static str,
    },
    /// It was not tried: the worker stops.
    HandedBack,
}

/// The result of one claimed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// The job.
    pub job_id: Uuid,
    /// The lease under which it was done.
    pub lease: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// The attempt.
    pub attempt_id: Uuid,
    /// Its result.
    pub result: VerificationResult,
    /// The provider's answer.
    pub answer: ProviderAnswer,
    /// The trace that it was done in, as a `traceparent`.
    pub trace_context: Option<String>,
}

/// How jobs are put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Release {
    run_at: DateTime<Utc>,
    error: Option<&'static str>,
    tries: Tries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Tries {
    Keep,
    Reset,
    TakeBack,
}

impl Store {
    /// Settles jobs, all in one transaction. A job whose lease another worker holds is skipped, and an
    /// outcome of an attempt that is not the user's current one, or has ended, changes nothing. Returns how many leases
    /// were still ours.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is settled then, and the jobs come back when their leases end.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn settle_verifications(&self, env: &dyn Env, settlements: Vec<JobResult>) -> Result<usize, StoreError> {
        if settlements.is_empty() {
            return Ok(0);
        }
        let now = env.now();
        let settled: Result<_, StoreError> =
            in_transaction!(self, |transaction| settle_in(transaction, env, settlements.clone(), now).await);
        let settled = settled?;
        self.events_are_written();
        Ok(settled)
    }

    /// Decides an attempt without a job: a provider's callback, or a reviewer. False: the attempt is not the user's
    /// current one or has ended, and nothing changes.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn decide_verification(
        &self,
        env: &dyn Env,
        client_id: Uuid,
        user_id: Uuid,
        attempt_id: Uuid,
        outcome: &Outcome,
        answer: ProviderAnswer,
    ) -> Result<bool, StoreError> {
        let decided: Result<_, StoreError> = in_transaction!(self, |transaction| {
            let mut changes = Changes::begin(env, transaction, &[Subject { client_id, user_id, attempt_id }]).await?;
            if changes.apply(user_id, attempt_id, Stimulus::Decided(outcome))?.is_none() {
                return Ok(false);
            }
            changes.write(transaction).await?;
            keep(transaction, vec![(client_id, attempt_id, answer.clone())]).await?;
            Ok::<_, StoreError>(true)
        });
        let decided = decided?;
        if decided {
            self.events_are_written();
        }
        Ok(decided)
    }

    /// Makes up to `limit` attempts past their deadline REVIEW; returns how many.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn review_overdue_verifications(&self, env: &dyn Env, limit: u64) -> Result<usize, StoreError> {
        use verification_attempt::Column::{ClientId, DeadlineAt, Id, UserId};
        let overdue: Vec<(Uuid, Uuid, Uuid)> = verification_attempt::Entity::find()
            .select_only()
            .columns([ClientId, UserId, Id])
            // As the index has it, which a parameter would not match.
            .filter(Expr::cust("state IN ('pending', 'running')"))
            .filter(DeadlineAt.lte(env.now()))
            .order_by_asc(DeadlineAt)
            .limit(limit)
            .into_tuple()
            .all(&self.read())
            .await?;
        if overdue.is_empty() {
            return Ok(0);
        }
        let subject = |(client_id, user_id, attempt_id)| Subject { client_id, user_id, attempt_id };
        let overdue: Vec<_> = overdue.into_iter().map(subject).collect();
        let moved: Result<_, StoreError> = in_transaction!(self, |transaction| {
            let mut changes = Changes::begin(env, transaction, &overdue).await?;
            let mut moved = 0;
            for Subject { user_id, attempt_id, .. } in &overdue {
                moved += usize::from(changes.apply(*user_id, *attempt_id, Stimulus::Overdue)?.is_some());
            }
            changes.write(transaction).await?;
            Ok::<_, StoreError>(moved)
        });
        let moved = moved?;
        self.events_are_written();
        Ok(moved)
    }
}

async fn settle_in(
    transaction: &Transaction,
    env: &dyn Env,
    mut settlements: Vec<JobResult>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let held = held(transaction, &settlements).await?;
    settlements.retain(|settlement| held.contains(&(settlement.job_id, settlement.lease)));
    let subject = |JobResult { client_id, user_id, attempt_id, .. }: &JobResult| Subject {
        client_id: *client_id,
        user_id: *user_id,
        attempt_id: *attempt_id,
    };
    let subjects: Vec<_> = settlements.iter().map(subject).collect();
    let mut changes = Changes::begin(env, transaction, &subjects).await?;
    let mut done = Vec::new();
    let mut releases: HashMap<Release, Vec<(Uuid, Uuid)>> = HashMap::new();
    let (mut answers, mut settled) = (Vec::new(), 0);
    for JobResult { client_id, job_id, user_id, attempt_id, result, answer, trace_context, .. } in settlements {
        changes.within(attempt_id, trace_context);
        // What comes late must not replace what the decision rests on.
        let mut counts = changes.is_open(user_id, attempt_id);
        let release = match result {
            _ if changes.is_unreadable(user_id, attempt_id) => {
                Some(Release { run_at: now + UNREADABLE_WAIT, error: Some("row_unreadable"), tries: Tries::Keep })
            }
            VerificationResult::Outcome { outcome, again_at } => {
                let moved = changes.apply(user_id, attempt_id, Stimulus::Decided(&outcome))?;
                counts = moved.is_some();
                again_at.filter(|_| moved.is_some_and(|next| !next.attempt.is_final())).map(|run_at| Release {
                    run_at,
                    error: None,
                    tries: Tries::Reset,
                })
            }
            VerificationResult::Pending { again_at } => {
                Some(Release { run_at: again_at, error: None, tries: Tries::Reset })
            }
            VerificationResult::Failed { again_at, code } => {
                Some(Release { run_at: again_at, error: Some(code), tries: Tries::Keep })
            }
            VerificationResult::HandedBack => Some(Release { run_at: now, error: None, tries: Tries::TakeBack }),
        };
        match release {
            None => done.push((client_id, job_id)),
            Some(release) => releases.entry(release).or_default().push((client_id, job_id)),
        }
        settled += 1;
        if counts {
            answers.push((client_id, attempt_id, answer));
        }
    }
    changes.write(transaction).await?;
    keep(transaction, answers).await?;
    if !done.is_empty() {
        job::Entity::delete_many()
            .filter(with_keys(job::Column::ClientId, job::Column::Id, done))
            .exec(transaction)
            .await?;
    }
    for (release, keys) in releases {
        put_back(transaction, release, keys).await?;
    }
    Ok(settled)
}

/// Those of the jobs that are there, each with its lease; locked.
async fn held(transaction: &Transaction, settlements: &[JobResult]) -> Result<HashSet<(Uuid, Uuid)>, StoreError> {
    use job::Column::{ClientId, Id, LeaseToken};
    let held = job::Entity::find()
        .select_only()
        .columns([Id, LeaseToken])
        .filter(with_keys(ClientId, Id, settlements.iter().map(|settlement| (settlement.client_id, settlement.job_id))))
        .order_by_asc(Id)
        .lock(LockType::Update)
        .into_tuple::<(Uuid, Option<Uuid>)>()
        .all(transaction)
        .await?;
    Ok(held.into_iter().filter_map(|(id, lease)| Some((id, lease?))).collect())
}

async fn keep(transaction: &Transaction, answers: Vec<(Uuid, Uuid, ProviderAnswer)>) -> Result<(), StoreError> {
    for (client_id, attempt_id, ProviderAnswer { sealed_reference, sealed }) in answers {
        if sealed_reference.is_none() && sealed.is_none() {
            continue;
        }
        let mut row = verification_attempt::ActiveModel::default();
        if sealed_reference.is_some() {
            row.sealed_reference = Set(sealed_reference);
        }
        if sealed.is_some() {
            row.sealed_answer = Set(sealed);
        }
        let key = [(client_id, attempt_id)];
        let filter = with_keys(verification_attempt::Column::ClientId, verification_attempt::Column::Id, key);
        verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    }
    Ok(())
}

async fn put_back(transaction: &Transaction, release: Release, keys: Vec<(Uuid, Uuid)>) -> Result<(), StoreError> {
    let row = job::ActiveModel {
        lease_token: Set(None),
        run_at: Set(release.run_at),
        last_error: Set(release.error.map(str::to_owned)),
        ..Default::default()
    };
    let tries = match release.tries {
        Tries::Keep => Expr::col(job::Column::Attempts),
        Tries::Reset => Expr::value(0),
        Tries::TakeBack => Expr::col(job::Column::Attempts).sub(1),
    };
    let update = job::Entity::update_many().set(row).col_expr(job::Column::Attempts, tries);
    update.filter(with_keys(job::Column::ClientId, job::Column::Id, keys)).exec(transaction).await?;
    Ok(())
}
