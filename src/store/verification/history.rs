//! The attempts of a user.

use entity::{user, verification_attempt};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::AttemptRecord;

impl Store {
    /// The last `limit` attempts of a user of this client, newest first; None: there is no such user.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_attempts(
        &self,
        client_id: Uuid,
        user_id: Uuid,
        limit: u64,
    ) -> Result<Option<Vec<AttemptRecord>>, StoreError> {
        let attempts = verification_attempt::Entity::find()
            .filter(verification_attempt::Column::ClientId.eq(client_id))
            .filter(verification_attempt::Column::UserId.eq(user_id))
            .order_by_desc(verification_attempt::Column::Id)
            .limit(limit)
            .all(&self.read())
            .await?;
        if !attempts.is_empty() {
            return Ok(Some(attempts.into_iter().map(AttemptRecord::from).collect()));
        }
        let user = user::Entity::find_by_id((client_id, user_id));
        let user = user.select_only().column(user::Column::Id).into_tuple::<Uuid>().one(&self.read()).await?;
        Ok(user.map(|_| Vec::new()))
    }

    /// One attempt of any client: for a provider, which knows it by its id alone.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_any_attempt(&self, attempt_id: Uuid) -> Result<Option<AttemptRecord>, StoreError> {
        let attempt = verification_attempt::Entity::find().filter(verification_attempt::Column::Id.eq(attempt_id));
        Ok(attempt.one(&self.read()).await?.map(AttemptRecord::from))
    }

    /// One attempt of a user of this client.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_attempt(&self, client_id: Uuid, attempt_id: Uuid) -> Result<Option<AttemptRecord>, StoreError> {
        let attempt = verification_attempt::Entity::find_by_id((client_id, attempt_id));
        Ok(attempt.one(&self.read()).await?.map(AttemptRecord::from))
    }
}
