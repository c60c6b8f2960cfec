//! Reading all users of a client, page by page.

use entity::user;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::{Store, StoreError, UserRecord};

impl Store {
    /// The next `limit` users of a client in the order of their ids: those after `after`, or the first. A user that is
    /// created in between is in a later page or not there; one that is changed is as it was or as it is.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn users_after(
        &self,
        client_id: Uuid,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<UserRecord>, StoreError> {
        let mut users = user::Entity::find().filter(user::Column::ClientId.eq(client_id));
        if let Some(after) = after {
            users = users.filter(user::Column::Id.gt(after));
        }
        let users = users.order_by_asc(user::Column::Id).limit(limit).all(&self.read()).await?;
        Ok(users.into_iter().map(UserRecord::from).collect())
    }
}
