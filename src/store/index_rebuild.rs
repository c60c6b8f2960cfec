//! Indexing users that have no entries of this version of the index: those that another version has written last.

use chrono::{DateTime, Utc};
use entity::{index_rebuild, user, user_index};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::user_index::{INDEX_VERSION, add_entries};
use super::{Store, StoreError, UserRecord, in_transaction};

/// A pass over all users, as far as it has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPass {
    /// The client whose users are looked at.
    pub client_id: Uuid,
    /// Up to this user all are looked at.
    pub user_id: Uuid,
    /// How many had no entries.
    pub indexed: i64,
    /// When the first pass of this version began.
    pub first_at: DateTime<Utc>,
    /// When this pass began.
    pub began_at: DateTime<Utc>,
    /// When it ended; None: it has not.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The last pass of this version; None: there was none.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn index_pass(&self) -> Result<Option<IndexPass>, StoreError> {
        let row = index_rebuild::Entity::find_by_id(INDEX_VERSION).one(&self.read()).await?;
        Ok(row.map(|index_rebuild::Model { client_id, user_id, indexed, first_at, began_at, ended_at, .. }| {
            IndexPass { client_id, user_id, indexed, first_at, began_at, ended_at }
        }))
    }

    /// Records how far a pass has got.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn save_index_pass(&self, pass: &IndexPass) -> Result<(), StoreError> {
        use index_rebuild::Column::{BeganAt, ClientId, EndedAt, FirstAt, Indexed, UserId, Version};
        let IndexPass { client_id, user_id, indexed, first_at, began_at, ended_at } = pass.clone();
        let row =
            index_rebuild::Model { version: INDEX_VERSION, client_id, user_id, indexed, first_at, began_at, ended_at };
        let saved = OnConflict::column(Version)
            .update_columns([ClientId, UserId, Indexed, FirstAt, BeganAt, EndedAt])
            .to_owned();
        let insert = index_rebuild::Entity::insert(row.into_active_model()).on_conflict(saved);
        insert.exec_without_returning(&self.write()).await?;
        Ok(())
    }

    /// Up to `limit` users of a client after this one, in the order of their ids: their ids, and whether they have entries of
    /// this version.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn index_versions_after(
        &self,
        client_id: Uuid,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<(Uuid, bool)>, StoreError> {
        use user::Column::{ClientId, Id, IndexVersion};
        let users = user::Entity::find()
            .select_only()
            .columns([Id, IndexVersion])
            .filter(ClientId.eq(client_id))
            .filter(Id.gt(after))
            .order_by_asc(Id)
            .limit(limit);
        let users = users.into_tuple::<(Uuid, i16)>().all(&self.read()).await?;
        Ok(users.into_iter().map(|(id, version)| (id, version == INDEX_VERSION)).collect())
    }

    /// Writes the entries of a user that was read, unless it has changed since; false: it has.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn index_user(&self, read: &UserRecord, digests: &[Uuid]) -> Result<bool, StoreError> {
        use user::Column::{ClientId, Id, IndexVersion, Version};
        in_transaction!(self, |transaction| {
            let row = user::ActiveModel { index_version: Set(INDEX_VERSION), ..Default::default() };
            let written = user::Entity::update_many()
                .set(row)
                .filter(ClientId.eq(read.client_id))
                .filter(Id.eq(read.id))
                .filter(Version.eq(read.version))
                .filter(IndexVersion.eq(read.index_version))
                .exec(transaction)
                .await?;
            if written.rows_affected == 0 {
                return Ok(false);
            }
            add_entries(self.engine(), transaction, (read.client_id, read.id), digests).await?;
            Ok::<_, StoreError>(true)
        })
    }

    /// Deletes up to `limit` entries of a client that are of earlier versions; how many.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn prune_index(&self, client_id: Uuid, limit: u64) -> Result<u64, StoreError> {
        use user_index::Column::{ClientId, Digest, UserId, Version};
        let old = user_index::Entity::find()
            .filter(ClientId.eq(client_id))
            .filter(Version.lt(INDEX_VERSION))
            .order_by_asc(Version)
            .order_by_asc(Digest)
            .order_by_asc(UserId)
            .limit(limit)
            .all(&self.read())
            .await?;
        let Some(last) = old.last() else { return Ok(0) };
        // All up to the last one, in the order of the key. Nothing is inserted there but by a program of that version.
        let key = Expr::tuple([Expr::col(Digest), Expr::col(UserId)]);
        let up_to_last = key.lte(Expr::tuple([Expr::val(last.digest), Expr::val(last.user_id)]));
        let mut deleted = 0;
        for version in old.iter().map(|row| row.version).collect::<std::collections::BTreeSet<_>>() {
            let mut old = user_index::Entity::delete_many().filter(ClientId.eq(client_id)).filter(Version.eq(version));
            if version == last.version {
                old = old.filter(up_to_last.clone());
            }
            deleted += old.exec(&self.write()).await?.rows_affected;
        }
        Ok(deleted)
    }
}
