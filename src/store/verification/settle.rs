//! What came of jobs, and what decides an attempt without a job: its deadline, a callback, a reviewer.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::{job, verification_attempt};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::changes::UNREADABLE_WAIT;
use super::{Changes, Transaction};
use crate::ambient::Ambient;
use crate::domain::verification::{AttemptState, Input, Outcome};

/// What the provider said beside the outcome, to be kept with the attempt; what is None stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderAnswer {
    /// What the provider calls the attempt.
    pub reference: Option<String>,
    /// Its raw answer, sealed under the user's data key.
    pub sealed: Option<Vec<u8>>,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An outcome; with `again_at` a provisional one, of which the provider is asked again.
    Outcome {
        /// The outcome.
        outcome: Outcome,
        /// When to ask again; None: that was all.
        again_at: Option<DateTime<Utc>>,
    },
    /// The provider is still at it.
    Pending {
        /// When to ask again.
        again_at: DateTime<Utc>,
    },
    /// It did not work this time.
    Failed {
        /// When to try again.
        again_at: DateTime<Utc>,
        /// Why, as a code.
        code: &'static str,
    },
    /// It was not tried: the worker stops.
    HandedBack,
}

/// What came of one claimed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The job.
    pub job_id: Uuid,
    /// The lease under which it was done.
    pub lease: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// The attempt.
    pub attempt_id: Uuid,
    /// What came of it.
    pub found: Found,
    /// What the provider said besides.
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
    Forget,
    TakeBack,
}

impl Store {
    /// Settles jobs, all in one transaction. A job whose lease another worker holds by now is passed over, and an
    /// outcome of an attempt that is not the user's current one, or has ended, changes nothing. Returns how many leases
    /// were still ours.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is settled then, and the jobs come back when their leases end.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn settle_verifications(
        &self,
        ambient: &dyn Ambient,
        mut settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        if settlements.is_empty() {
            return Ok(0);
        }
        let now = ambient.now();
        let transaction = self.begin().await?;
        let held = held(&transaction, &settlements).await?;
        settlements.retain(|settlement| held.contains(&(settlement.job_id, settlement.lease)));
        let users: Vec<_> = settlements.iter().map(|settlement| settlement.user_id).collect();
        let attempts: Vec<_> = settlements.iter().map(|settlement| settlement.attempt_id).collect();
        let mut changes = Changes::begin(ambient, &transaction, &users, &attempts).await?;
        let mut done = Vec::new();
        let mut releases: HashMap<Release, Vec<Uuid>> = HashMap::new();
        let (mut answers, mut settled) = (Vec::new(), 0);
        for Settlement { job_id, user_id, attempt_id, found, answer, trace_context, .. } in settlements {
            changes.within(attempt_id, trace_context);
            // What comes late must not replace what the decision rests on.
            let mut counts = changes.is_open(user_id, attempt_id);
            let release = match found {
                _ if changes.is_unreadable(user_id, attempt_id) => {
                    Some(Release { run_at: now + UNREADABLE_WAIT, error: Some("row_unreadable"), tries: Tries::Keep })
                }
                Found::Outcome { outcome, again_at } => {
                    let moved = changes.apply(user_id, attempt_id, Input::Decided(&outcome))?;
                    counts = moved.is_some();
                    again_at.filter(|_| moved.is_some_and(|next| !next.attempt.is_final())).map(|run_at| Release {
                        run_at,
                        error: None,
                        tries: Tries::Forget,
                    })
                }
                Found::Pending { again_at } => Some(Release { run_at: again_at, error: None, tries: Tries::Forget }),
                Found::Failed { again_at, code } => {
                    Some(Release { run_at: again_at, error: Some(code), tries: Tries::Keep })
                }
                Found::HandedBack => Some(Release { run_at: now, error: None, tries: Tries::TakeBack }),
            };
            match release {
                None => done.push(job_id),
                Some(release) => releases.entry(release).or_default().push(job_id),
            }
            settled += 1;
            if counts {
                answers.push((attempt_id, answer));
            }
        }
        changes.write(&transaction).await?;
        keep(&transaction, answers).await?;
        if !done.is_empty() {
            job::Entity::delete_many().filter(job::Column::Id.is_in(done)).exec(&transaction).await?;
        }
        for (release, ids) in releases {
            put_back(&transaction, release, ids).await?;
        }
        transaction.commit().await?;
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
        ambient: &dyn Ambient,
        user_id: Uuid,
        attempt_id: Uuid,
        outcome: &Outcome,
        answer: ProviderAnswer,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let mut changes = Changes::begin(ambient, &transaction, &[user_id], &[attempt_id]).await?;
        if changes.apply(user_id, attempt_id, Input::Decided(outcome))?.is_none() {
            return Ok(false);
        }
        changes.write(&transaction).await?;
        keep(&transaction, vec![(attempt_id, answer)]).await?;
        transaction.commit().await?;
        self.events_are_written();
        Ok(true)
    }

    /// Makes up to `limit` attempts past their deadline REVIEW; returns how many.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn review_overdue_verifications(&self, ambient: &dyn Ambient, limit: u64) -> Result<usize, StoreError> {
        use verification_attempt::Column::{DeadlineAt, Id, State, UserId};
        let unended = [AttemptState::Pending, AttemptState::Running].map(AttemptState::as_str);
        let overdue: Vec<(Uuid, Uuid)> = verification_attempt::Entity::find()
            .select_only()
            .columns([UserId, Id])
            .filter(State.is_in(unended))
            .filter(DeadlineAt.lte(ambient.now()))
            .order_by_asc(DeadlineAt)
            .limit(limit)
            .into_tuple()
            .all(&self.read())
            .await?;
        if overdue.is_empty() {
            return Ok(0);
        }
        let transaction = self.begin().await?;
        let (users, attempts): (Vec<_>, Vec<_>) = overdue.iter().copied().unzip();
        let mut changes = Changes::begin(ambient, &transaction, &users, &attempts).await?;
        let mut moved = 0;
        for (user_id, attempt_id) in overdue {
            moved += usize::from(changes.apply(user_id, attempt_id, Input::Overdue)?.is_some());
        }
        changes.write(&transaction).await?;
        transaction.commit().await?;
        self.events_are_written();
        Ok(moved)
    }
}

/// Those of the jobs that are there, each with its lease; locked.
async fn held(transaction: &Transaction, settlements: &[Settlement]) -> Result<HashSet<(Uuid, Uuid)>, StoreError> {
    use job::Column::{Id, LeaseToken};
    let held = job::Entity::find()
        .select_only()
        .columns([Id, LeaseToken])
        .filter(Id.is_in(settlements.iter().map(|settlement| settlement.job_id)))
        .order_by_asc(Id)
        .lock(LockType::Update)
        .into_tuple::<(Uuid, Option<Uuid>)>()
        .all(transaction)
        .await?;
    Ok(held.into_iter().filter_map(|(id, lease)| Some((id, lease?))).collect())
}

async fn keep(transaction: &Transaction, answers: Vec<(Uuid, ProviderAnswer)>) -> Result<(), StoreError> {
    for (attempt_id, ProviderAnswer { reference, sealed }) in answers {
        if reference.is_none() && sealed.is_none() {
            continue;
        }
        let mut row = verification_attempt::ActiveModel::default();
        if reference.is_some() {
            row.reference = Set(reference);
        }
        if sealed.is_some() {
            row.sealed_answer = Set(sealed);
        }
        let filter = verification_attempt::Column::Id.eq(attempt_id);
        verification_attempt::Entity::update_many().set(row).filter(filter).exec(transaction).await?;
    }
    Ok(())
}

async fn put_back(transaction: &Transaction, release: Release, ids: Vec<Uuid>) -> Result<(), StoreError> {
    let row = job::ActiveModel {
        lease_token: Set(None),
        lease_until: Set(None),
        run_at: Set(release.run_at),
        last_error: Set(release.error.map(str::to_owned)),
        ..Default::default()
    };
    let tries = match release.tries {
        Tries::Keep => Expr::col(job::Column::Attempts),
        Tries::Forget => Expr::value(0),
        Tries::TakeBack => Expr::col(job::Column::Attempts).sub(1),
    };
    let update = job::Entity::update_many().set(row).col_expr(job::Column::Attempts, tries);
    update.filter(job::Column::Id.is_in(ids)).exec(transaction).await?;
    Ok(())
}
