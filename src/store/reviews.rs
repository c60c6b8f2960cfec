//! Reviews: verification attempts that wait for a human, and what the reviewers did with them. The one part of the
//! database that is read across clients, for reviewers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{client, idempotency_key, review_step, user, verification_attempt};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
};
use tracing::instrument;
use uuid::Uuid;

use super::rows::{count, with_keys};
use super::verification::{Changes, Subject};
use super::{NewClaim, Store, StoreError, Transaction, in_transaction};
use crate::domain::verification::{AttemptState, Outcome, Stimulus};
use crate::env::Env;

/// A review as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewRecord {
    /// The verification attempt.
    pub attempt_id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// What the operator calls that client.
    pub client_name: String,
    /// The user it is about.
    pub user_id: Uuid,
    /// Individual or business.
    pub kind: String,
    /// The state of the attempt.
    pub state: String,
    /// The provider that asked for the review.
    pub provider: Option<String>,
    /// Why: a list of codes, messages and paths.
    pub reasons: serde_json::Value,
    /// When the verification was asked for.
    pub created_at: DateTime<Utc>,
    /// When the user last changed.
    pub user_updated_at: DateTime<Utc>,
    /// The steps, oldest first.
    pub steps: Vec<ReviewStepRecord>,
}

/// A step of a reviewer.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewStepRecord {
    /// Identifier.
    pub id: Uuid,
    /// The reviewer; none for an operator at the command line.
    pub reviewer_id: Option<Uuid>,
    /// The name of the reviewer or operator.
    pub reviewer: String,
    /// The action.
    pub action: String,
    /// The reason that the client sees.
    pub reason: Option<String>,
    /// For reviewers alone, sealed under the user's data key.
    pub sealed_note: Option<Vec<u8>>,
    /// When it was taken.
    pub created_at: DateTime<Utc>,
}

/// A review as a step finds it: under the lock of its user.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewView {
    /// The user's version.
    pub user_version: i64,
    /// When the user last changed.
    pub user_updated_at: DateTime<Utc>,
    /// The steps, oldest first.
    pub steps: Vec<ReviewStepRecord>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed<E> {
    /// It is taken, durably.
    Taken,
    /// The rules do not allow it; nothing was written.
    Refused(E),
    /// The attempt is decided, or the user has another one by now, or the request's key was used before; nothing was
    /// written.
    Closed,
}

/// Which of the waiting reviews are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReviewPage {
    /// Only those of this client's users.
    pub client_id: Option<Uuid>,
    /// How many at most.
    pub limit: u64,
    /// How many to skip.
    pub offset: u64,
    /// Only those behind this attempt.
    pub behind: Option<Uuid>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    client_id: Uuid,
    client_name: String,
    user_id: Uuid,
    kind: String,
    state: String,
    provider: Option<String>,
    reasons: serde_json::Value,
    created_at: DateTime<Utc>,
    user_updated_at: DateTime<Utc>,
}

impl Store {
    /// The open reviews, oldest first, and how many there are, see [`super::MOST_COUNTED`].
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn waiting_reviews(&self, page: ReviewPage) -> Result<(Vec<ReviewRecord>, u64), StoreError> {
        let mut waiting = verification_attempt::Entity::find()
            // As the index has it, which a parameter would not match.
            .filter(Expr::cust("\"verification_attempts\".\"state\" = 'review'"));
        if let Some(client_id) = page.client_id {
            waiting = waiting.filter(verification_attempt::Column::ClientId.eq(client_id));
        }
        let reads = self.read_list().await?;
        let total = count(&reads, waiting.clone().into_query()).await?;
        if let Some(behind) = page.behind {
            waiting = waiting.filter(verification_attempt::Column::Id.gt(behind));
        }
        let rows = with_names(waiting)
            .order_by_asc(verification_attempt::Column::Id)
            .limit(page.limit)
            .offset(page.offset)
            .into_model::<Row>()
            .all(&reads)
            .await?;
        Ok((with_steps(&reads, rows).await?, total))
    }

    /// One review, decided or not; none for an attempt that no human had to look at.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_review(&self, attempt_id: Uuid) -> Result<Option<ReviewRecord>, StoreError> {
        let attempt = verification_attempt::Entity::find().filter(verification_attempt::Column::Id.eq(attempt_id));
        let row = with_names(attempt).into_model::<Row>().one(&self.read()).await?;
        let found = with_steps(&self.read(), row.into_iter().collect()).await?.pop();
        Ok(found.filter(|review| review.state == REVIEW || !review.steps.is_empty()))
    }

    /// Takes a step with a review. `judge` sees the review under the lock of its user, so that of two reviewers one comes
    /// after the other, and returns the result of the step: an outcome decides the review. `claim`: the idempotency key of the
    /// request, and the client whose key it is.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn take_review_step<E, J>(
        &self,
        env: &dyn Env,
        review: &ReviewRecord,
        step: ReviewStepRecord,
        claim: Option<(Uuid, NewClaim)>,
        judge: J,
    ) -> Result<Reviewed<E>, StoreError>
    where
        J: Fn(&ReviewView) -> Result<Option<Outcome>, E> + Send + Sync,
        E: Send,
    {
        let reviewed: Result<_, StoreError> =
            in_transaction!(self, |transaction| step_in(transaction, env, review, &step, &claim, &judge).await);
        let reviewed = match (reviewed, &claim) {
            // Another request has used the key meanwhile.
            (Err(error), Some((client_id, claim))) => match self.find_claim(&claim.scope(*client_id)).await? {
                Some(_) => return Ok(Reviewed::Closed),
                None => return Err(error),
            },
            (reviewed, _) => reviewed?,
        };
        if matches!(reviewed, Reviewed::Taken) {
            self.events_are_written();
        }
        Ok(reviewed)
    }
}

async fn step_in<E>(
    transaction: &Transaction,
    env: &dyn Env,
    review: &ReviewRecord,
    step: &ReviewStepRecord,
    claim: &Option<(Uuid, NewClaim)>,
    judge: &(impl Fn(&ReviewView) -> Result<Option<Outcome>, E> + Sync),
) -> Result<Reviewed<E>, StoreError> {
    let ReviewRecord { attempt_id, user_id, client_id, .. } = *review;
    let mut changes = Changes::begin(env, transaction, &[Subject { client_id, user_id, attempt_id }]).await?;
    let state = changes.attempt(attempt_id).map(|attempt| attempt.state.clone()).unwrap_or_default();
    let steps = steps_of(transaction, &[(client_id, attempt_id)]).await?.remove(&attempt_id).unwrap_or_default();
    if state != REVIEW {
        return Ok(Reviewed::Closed);
    }
    let (user_version, user_updated_at) = user_now(transaction, client_id, user_id).await?;
    match judge(&ReviewView { user_version, user_updated_at, steps }) {
        Err(refused) => return Ok(Reviewed::Refused(refused)),
        Ok(None) => {}
        Ok(Some(outcome)) => {
            if changes.apply(user_id, attempt_id, Stimulus::Reviewed(&outcome))?.is_none() {
                return Ok(Reviewed::Closed);
            }
        }
    }
    changes.write(transaction).await?;
    if let Some((client_id, claim)) = claim.clone() {
        let row = claim.into_row(client_id, user_id, Some(attempt_id), step.created_at);
        idempotency_key::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    let step = step.clone();
    let row = review_step::Model {
        id: step.id,
        attempt_id,
        client_id,
        user_id,
        reviewer_id: step.reviewer_id,
        reviewer: step.reviewer,
        action: step.action,
        reason: step.reason,
        sealed_note: step.sealed_note,
        created_at: step.created_at,
    };
    review_step::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
    Ok(Reviewed::Taken)
}

/// The state of an attempt that waits for a human.
const REVIEW: &str = AttemptState::Review.into_str();

/// The version of a user, and when it last changed.
async fn user_now(
    connection: &impl ConnectionTrait,
    client_id: Uuid,
    user_id: Uuid,
) -> Result<(i64, DateTime<Utc>), StoreError> {
    let row = user::Entity::find_by_id((client_id, user_id))
        .select_only()
        .columns([user::Column::Version, user::Column::UpdatedAt])
        .into_tuple()
        .one(connection)
        .await?;
    row.ok_or_else(|| StoreError::corrupt("a review without its user"))
}

fn with_names(attempts: Select<verification_attempt::Entity>) -> Select<verification_attempt::Entity> {
    use verification_attempt::Column;
    attempts
        .select_only()
        .columns([Column::Id, Column::ClientId, Column::UserId, Column::State, Column::Provider])
        .columns([Column::Reasons, Column::CreatedAt])
        .column_as(client::Column::Name, "client_name")
        .column_as(user::Column::Kind, "kind")
        .column_as(user::Column::UpdatedAt, "user_updated_at")
        .inner_join(client::Entity)
        .inner_join(user::Entity)
}

async fn with_steps(connection: &impl ConnectionTrait, rows: Vec<Row>) -> Result<Vec<ReviewRecord>, StoreError> {
    let mut steps = steps_of(connection, &rows.iter().map(|row| (row.client_id, row.id)).collect::<Vec<_>>()).await?;
    let record = |row: Row| ReviewRecord {
        steps: steps.remove(&row.id).unwrap_or_default(),
        attempt_id: row.id,
        client_id: row.client_id,
        client_name: row.client_name,
        user_id: row.user_id,
        kind: row.kind,
        state: row.state,
        provider: row.provider,
        reasons: row.reasons,
        created_at: row.created_at,
        user_updated_at: row.user_updated_at,
    };
    Ok(rows.into_iter().map(record).collect())
}

/// What was done with each of these reviews, oldest first.
async fn steps_of(
    connection: &impl ConnectionTrait,
    attempts: &[(Uuid, Uuid)],
) -> Result<HashMap<Uuid, Vec<ReviewStepRecord>>, StoreError> {
    use review_step::Column::{AttemptId, ClientId, Id};
    let mut steps: HashMap<Uuid, Vec<ReviewStepRecord>> = HashMap::new();
    if attempts.is_empty() {
        return Ok(steps);
    }
    let taken =
        review_step::Entity::find().filter(with_keys(ClientId, AttemptId, attempts.iter().copied())).order_by_asc(Id);
    for step in taken.all(connection).await? {
        steps.entry(step.attempt_id).or_default().push(step.into());
    }
    Ok(steps)
}

impl From<review_step::Model> for ReviewStepRecord {
    fn from(row: review_step::Model) -> Self {
        Self {
            id: row.id,
            reviewer_id: row.reviewer_id,
            reviewer: row.reviewer,
            action: row.action,
            reason: row.reason,
            sealed_note: row.sealed_note,
            created_at: row.created_at,
        }
    }
}
