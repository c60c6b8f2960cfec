//! What became of a user's verifications.

use chrono::{DateTime, Utc};
use entity::verification_attempt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// An attempt as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user it verifies.
    pub user_id: Uuid,
    /// What started it.
    pub trigger: String,
    /// Where it stands.
    pub state: String,
    /// Who verifies.
    pub provider: Option<String>,
    /// What a good outcome proves.
    pub assurance: Option<String>,
    /// Why it ended as it did: a list of codes, messages and paths.
    pub reasons: serde_json::Value,
    /// What the provider calls it.
    pub reference: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it becomes REVIEW without an outcome.
    pub deadline_at: DateTime<Utc>,
}

impl Store {
    /// The attempts of a user of this client, newest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn list_attempts(&self, client_id: Uuid, user_id: Uuid) -> Result<Vec<AttemptRecord>, StoreError> {
        let attempts = verification_attempt::Entity::find()
            .filter(verification_attempt::Column::ClientId.eq(client_id))
            .filter(verification_attempt::Column::UserId.eq(user_id))
            .order_by_desc(verification_attempt::Column::CreatedAt)
            .order_by_desc(verification_attempt::Column::Id);
        Ok(attempts.all(self.read()).await?.into_iter().map(AttemptRecord::from).collect())
    }

    /// One attempt, whoever's it is: for callers that know it by its id alone, such as a provider's callback.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn find_attempt(&self, attempt_id: Uuid) -> Result<Option<AttemptRecord>, StoreError> {
        let row = verification_attempt::Entity::find_by_id(attempt_id).one(self.read()).await?;
        Ok(row.map(AttemptRecord::from))
    }

    /// The attempts in one of these states whose deadline has passed, the most overdue first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn overdue_attempts(
        &self,
        states: &[&'static str],
        now: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<Uuid>, StoreError> {
        let overdue = verification_attempt::Entity::find()
            .select_only()
            .column(verification_attempt::Column::Id)
            .filter(verification_attempt::Column::State.is_in(states.iter().copied()))
            .filter(verification_attempt::Column::DeadlineAt.lte(now))
            .order_by_asc(verification_attempt::Column::DeadlineAt)
            .limit(limit);
        Ok(overdue.into_tuple().all(self.read()).await?)
    }
}

impl From<verification_attempt::Model> for AttemptRecord {
    fn from(row: verification_attempt::Model) -> Self {
        Self {
            id: row.id,
            client_id: row.client_id,
            user_id: row.user_id,
            trigger: row.trigger,
            state: row.state,
            provider: row.provider,
            assurance: row.assurance,
            reasons: row.reasons,
            reference: row.reference,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            deadline_at: row.deadline_at,
        }
    }
}
