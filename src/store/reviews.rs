//! Reviews: verification attempts that wait for a human, and what the reviewers did with them. The one part of the
//! database that is read across clients, for reviewers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{client, review_step, user, verification_attempt};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use uuid::Uuid;

use super::{Store, StoreError};

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
}

impl Store {
    /// The reviews that wait, oldest first, and how many there are in all.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn waiting_reviews(&self, page: ReviewPage) -> Result<(Vec<ReviewRecord>, u64), StoreError> {
        let mut waiting = verification_attempt::Entity::find().filter(verification_attempt::Column::State.eq(REVIEW));
        if let Some(client_id) = page.client_id {
            waiting = waiting.filter(verification_attempt::Column::ClientId.eq(client_id));
        }
        let total = waiting.clone().count(self.read()).await?;
        let rows = with_names(waiting)
            .order_by_asc(verification_attempt::Column::CreatedAt)
            .order_by_asc(verification_attempt::Column::Id)
            .limit(page.limit)
            .offset(page.offset)
            .into_model::<Row>()
            .all(self.read())
            .await?;
        Ok((with_steps(self.read(), rows).await?, total))
    }

    /// One review, decided or not; none for an attempt that no human had to look at.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn find_review(&self, attempt_id: Uuid) -> Result<Option<ReviewRecord>, StoreError> {
        review(self.read(), attempt_id).await
    }
}

/// The state of an attempt that waits for a human.
pub(super) const REVIEW: &str = "review";

/// One review, read by `connection`.
async fn review(connection: &impl ConnectionTrait, attempt_id: Uuid) -> Result<Option<ReviewRecord>, StoreError> {
    let attempt = verification_attempt::Entity::find_by_id(attempt_id);
    let row = with_names(attempt).into_model::<Row>().one(connection).await?;
    let found = with_steps(connection, row.into_iter().collect()).await?.pop();
    Ok(found.filter(|review| review.state == REVIEW || !review.steps.is_empty()))
}

fn with_names(attempts: Select<verification_attempt::Entity>) -> Select<verification_attempt::Entity> {
    use verification_attempt::Column;
    attempts
        .select_only()
        .columns([Column::Id, Column::ClientId, Column::UserId, Column::State, Column::Provider])
        .columns([Column::Reasons, Column::CreatedAt])
        .column_as(client::Column::Name, "client_name")
        .column_as(user::Column::Kind, "kind")
        .inner_join(client::Entity)
        .inner_join(user::Entity)
}

async fn with_steps(connection: &impl ConnectionTrait, rows: Vec<Row>) -> Result<Vec<ReviewRecord>, StoreError> {
    let mut steps = steps_of(connection, rows.iter().map(|row| row.id).collect()).await?;
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
    };
    Ok(rows.into_iter().map(record).collect())
}

/// What was done with each of these reviews, oldest first.
pub(super) async fn steps_of(
    connection: &impl ConnectionTrait,
    attempts: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<ReviewStepRecord>>, StoreError> {
    let mut steps: HashMap<Uuid, Vec<ReviewStepRecord>> = HashMap::new();
    if attempts.is_empty() {
        return Ok(steps);
    }
    let taken = review_step::Entity::find()
        .filter(review_step::Column::AttemptId.is_in(attempts))
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
