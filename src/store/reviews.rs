//! Reviews: verification attempts that wait for a human, and what the reviewers did with them. The one part of the
//! database that is read across clients, for reviewers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{client, review_step, user, verification_attempt};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use tracing::instrument;
use uuid::Uuid;

use super::verification::Changes;
use super::{Store, StoreError};
use crate::ambient::Ambient;
use crate::domain::verification::{AttemptState, Input, Outcome};

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
    /// Where the attempt stands.
    pub state: String,
    /// Who handed it over.
    pub provider: Option<String>,
    /// Why: a list of codes, messages and paths.
    pub reasons: serde_json::Value,
    /// When the verification was asked for.
    pub created_at: DateTime<Utc>,
    /// When the user last changed.
    pub user_updated_at: DateTime<Utc>,
    /// What was done with it, oldest first.
    pub steps: Vec<ReviewStepRecord>,
}

/// What a reviewer did with a review.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewStepRecord {
    /// Identifier.
    pub id: Uuid,
    /// The reviewer; none for an operator at the command line.
    pub reviewer_id: Option<Uuid>,
    /// The name of the reviewer or operator.
    pub reviewer: String,
    /// What was done.
    pub action: String,
    /// What the client is told.
    pub reason: Option<String>,
    /// For reviewers alone, sealed under the user's data key.
    pub sealed_note: Option<Vec<u8>>,
    /// When it was done.
    pub created_at: DateTime<Utc>,
}

/// A review as a step finds it: under the lock of its user.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewView {
    /// The user's version.
    pub user_version: i64,
    /// When the user last changed.
    pub user_updated_at: DateTime<Utc>,
    /// What was done with it, oldest first.
    pub steps: Vec<ReviewStepRecord>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed<E> {
    /// It is taken, durably.
    Taken,
    /// The rules do not allow it; nothing was written.
    Refused(E),
    /// The attempt is decided, or the user has another one by now; nothing was written.
    Closed,
}

/// Which of the waiting reviews are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReviewPage {
    /// Those of one client's users alone.
    pub client_id: Option<Uuid>,
    /// How many at most.
    pub limit: u64,
    /// How many to pass over.
    pub offset: u64,
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
    /// The reviews that wait, oldest first, and how many there are in all.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn waiting_reviews(&self, page: ReviewPage) -> Result<(Vec<ReviewRecord>, u64), StoreError> {
        let mut waiting = verification_attempt::Entity::find().filter(verification_attempt::Column::State.eq(REVIEW));
        if let Some(client_id) = page.client_id {
            waiting = waiting.filter(verification_attempt::Column::ClientId.eq(client_id));
        }
        let total = waiting.clone().count(&self.read()).await?;
        let rows = with_names(waiting)
            .order_by_asc(verification_attempt::Column::CreatedAt)
            .order_by_asc(verification_attempt::Column::Id)
            .limit(page.limit)
            .offset(page.offset)
            .into_model::<Row>()
            .all(&self.read())
            .await?;
        Ok((with_steps(&self.read(), rows).await?, total))
    }

    /// One review, decided or not; none for an attempt that no human had to look at.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_review(&self, attempt_id: Uuid) -> Result<Option<ReviewRecord>, StoreError> {
        let attempt = verification_attempt::Entity::find_by_id(attempt_id);
        let row = with_names(attempt).into_model::<Row>().one(&self.read()).await?;
        let found = with_steps(&self.read(), row.into_iter().collect()).await?.pop();
        Ok(found.filter(|review| review.state == REVIEW || !review.steps.is_empty()))
    }

    /// Takes a step with a review. `judge` sees the review under the lock of its user, so that of two reviewers one comes
    /// after the other, and says what the step comes to: an outcome decides the review.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn take_review_step<E, J>(
        &self,
        ambient: &dyn Ambient,
        review: &ReviewRecord,
        step: ReviewStepRecord,
        judge: J,
    ) -> Result<Reviewed<E>, StoreError>
    where
        J: FnOnce(&ReviewView) -> Result<Option<Outcome>, E> + Send,
    {
        let ReviewRecord { attempt_id, user_id, client_id, .. } = *review;
        let transaction = self.begin().await?;
        let mut changes = Changes::begin(ambient, &transaction, &[user_id], &[attempt_id]).await?;
        let state = changes.attempt(attempt_id).map(|attempt| attempt.state.clone()).unwrap_or_default();
        let steps = steps_of(&transaction, &[attempt_id]).await?.remove(&attempt_id).unwrap_or_default();
        if state != REVIEW {
            return Ok(Reviewed::Closed);
        }
        let (user_version, user_updated_at) = user_now(&transaction, user_id).await?;
        match judge(&ReviewView { user_version, user_updated_at, steps }) {
            Err(refused) => return Ok(Reviewed::Refused(refused)),
            Ok(None) => {}
            Ok(Some(outcome)) => {
                if changes.apply(user_id, attempt_id, Input::Reviewed(&outcome))?.is_none() {
                    return Ok(Reviewed::Closed);
                }
            }
        }
        changes.write(&transaction).await?;
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
        review_step::Entity::insert(row.into_active_model()).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        self.events_are_written();
        Ok(Reviewed::Taken)
    }
}

/// The state of an attempt that waits for a human.
const REVIEW: &str = AttemptState::Review.as_str();

/// The version of a user, and when it last changed.
async fn user_now(connection: &impl ConnectionTrait, user_id: Uuid) -> Result<(i64, DateTime<Utc>), StoreError> {
    let row = user::Entity::find_by_id(user_id)
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
    let mut steps = steps_of(connection, &rows.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
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
    attempts: &[Uuid],
) -> Result<HashMap<Uuid, Vec<ReviewStepRecord>>, StoreError> {
    let mut steps: HashMap<Uuid, Vec<ReviewStepRecord>> = HashMap::new();
    if attempts.is_empty() {
        return Ok(steps);
    }
    let taken = review_step::Entity::find()
        .filter(review_step::Column::AttemptId.is_in(attempts.iter().copied()))
        .order_by_asc(review_step::Column::CreatedAt)
        .order_by_asc(review_step::Column::Id);
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
