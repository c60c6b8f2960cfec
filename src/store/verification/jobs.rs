//! Jobs as rows with leases: claimed by a token, taken up by another worker when the lease runs out.

use chrono::{DateTime, Utc};
use entity::job;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::store::users::{QUEUED, VERIFICATION};
use crate::store::{Engine, Store, StoreError};

/// The state of a job that a worker holds.
pub(super) const LEASED: &str = "leased";

/// A job that this worker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRecord {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// The verification attempt that it carries out.
    pub attempt_id: Uuid,
    /// How often it was claimed, this time included.
    pub attempts: i32,
    /// The trace of the request that asked for it, as a `traceparent`.
    pub trace_context: Option<String>,
}

/// How much waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// Jobs that are due and not claimed, or whose lease ran out.
    pub due: u64,
    /// When the oldest of them became due.
    pub oldest: Option<DateTime<Utc>>,
}

impl Store {
    /// Claims up to `limit` verification jobs that are due at `now`, until `lease_until`. A job whose lease ran out is
    /// due again: its `run_at` is the end of its lease.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn claim_verifications(
        &self,
        token: Uuid,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<JobRecord>, StoreError> {
        let mut due = Query::select();
        due.column(job::Column::Id)
            .from(job::Entity)
            .and_where(is_due(now))
            .order_by(job::Column::RunAt, sea_orm::Order::Asc)
            .limit(limit);
        if self.engine() == Engine::Postgres {
            due.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let claim = job::Entity::update_many()
            .col_expr(job::Column::State, Expr::value(LEASED))
            .col_expr(job::Column::LeaseToken, Expr::value(token))
            .col_expr(job::Column::LeaseUntil, Expr::value(lease_until))
            .col_expr(job::Column::RunAt, Expr::value(lease_until))
            .col_expr(job::Column::Attempts, Expr::col(job::Column::Attempts).add(1))
            .filter(job::Column::Id.in_subquery(due));
        let claimed = claim.exec_with_returning(self.write()).await?;
        let record = |row: job::Model| {
            let attempt_id = row.attempt_id.ok_or_else(|| StoreError::corrupt("a verification job"))?;
            Ok(JobRecord {
                id: row.id,
                client_id: row.client_id,
                user_id: row.user_id,
                attempt_id,
                attempts: row.attempts,
                trace_context: row.trace_context,
            })
        };
        claimed.into_iter().map(record).collect()
    }

    /// Gives the jobs of a lease back, for another worker to take at once.
    ///
    /// # Errors
    /// `Unavailable` without the database; then they come back when the lease runs out.
    pub async fn hand_back(&self, token: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
        job::Entity::update_many()
            .col_expr(job::Column::State, Expr::value(QUEUED))
            .col_expr(job::Column::LeaseToken, Expr::value(None::<Uuid>))
            .col_expr(job::Column::LeaseUntil, Expr::value(None::<DateTime<Utc>>))
            .col_expr(job::Column::RunAt, Expr::value(now))
            .filter(job::Column::LeaseToken.eq(token))
            .exec(self.write())
            .await?;
        Ok(())
    }

    /// How many verification jobs wait for a worker.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn verification_queue(&self, now: DateTime<Utc>) -> Result<QueueState, StoreError> {
        let due = job::Entity::find().filter(is_due(now));
        let oldest = due.clone().order_by_asc(job::Column::RunAt).limit(1).select_only().column(job::Column::RunAt);
        let oldest = oldest.into_tuple::<DateTime<Utc>>().one(self.read()).await?;
        Ok(QueueState { due: due.count(self.read()).await?, oldest })
    }
}

fn is_due(now: DateTime<Utc>) -> sea_orm::sea_query::SimpleExpr {
    job::Column::Kind.eq(VERIFICATION).and(job::Column::State.is_in([QUEUED, LEASED])).and(job::Column::RunAt.lte(now))
}
