//! What the recurring jobs need: how far they got, which objects have a row, and which are to be deleted.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entity::{document, object_to_delete, watermark};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::{Store, StoreError};

/// How many values one query names; both engines allow many more.
const AT_ONCE: usize = 500;

impl Store {
    /// Those of the given object keys that a document refers to, read from the primary.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn referenced_object_keys(&self, keys: &[String]) -> Result<HashSet<String>, StoreError> {
        let mut referenced = HashSet::new();
        for keys in keys.chunks(AT_ONCE) {
            // The last part of a key begins with the id of its document, which is what the index knows.
            let ids = keys.iter().filter_map(|key| Uuid::try_parse(key.rsplit('/').next()?.split('.').next()?).ok());
            let found = document::Entity::find()
                .select_only()
                .column(document::Column::ObjectKey)
                .filter(document::Column::Id.is_in(ids))
                .into_tuple::<String>()
                .all(&self.read())
                .await?;
            referenced.extend(found);
        }
        Ok(referenced)
    }

    /// Up to `limit` objects whose documents were removed, in the order of their keys.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn objects_to_delete(&self, limit: u64) -> Result<Vec<String>, StoreError> {
        let found = object_to_delete::Entity::find()
            .select_only()
            .column(object_to_delete::Column::ObjectKey)
            .order_by_asc(object_to_delete::Column::ObjectKey)
            .limit(limit)
            .into_tuple::<String>();
        Ok(found.all(&self.read()).await?)
    }

    /// Prunes the records of objects once they are deleted.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn prune_objects_to_delete(&self, keys: &[String]) -> Result<(), StoreError> {
        for keys in keys.chunks(AT_ONCE) {
            let deleted = object_to_delete::Column::ObjectKey.is_in(keys);
            object_to_delete::Entity::delete_many().filter(deleted).exec(&self.write()).await?;
        }
        Ok(())
    }

    /// How far a recurring job has got: everything before is done. None: it never ran.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn watermark(&self, name: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(watermark::Entity::find_by_id(name).one(&self.read()).await?.map(|row| row.reached))
    }

    /// Takes the lease of a recurring job until `until`; false: another process holds it. It is not given back: the job
    /// runs once in that time.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn take_lease(&self, job: &str, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let ended = OnConflict::column(watermark::Column::Name)
            .update_column(watermark::Column::Reached)
            .action_and_where(Expr::col((watermark::Entity, watermark::Column::Reached)).lte(now))
            .to_owned();
        let row = watermark::Model { name: format!("lease of {job}"), reached: until }.into_active_model();
        let taken = watermark::Entity::insert(row).on_conflict(ended).exec_without_returning(&self.write()).await?;
        Ok(taken > 0)
    }

    /// Extends a lease that this process holds: `held` is the `until` that it was taken or extended with. False: it ended,
    /// and another process took it.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn extend_lease(&self, job: &str, held: DateTime<Utc>, until: DateTime<Utc>) -> Result<bool, StoreError> {
        // No two processes hold a lease with the same end: it is taken only once the one before has ended.
        let extended = watermark::Entity::update_many()
            .col_expr(watermark::Column::Reached, Expr::value(until))
            .filter(watermark::Column::Name.eq(format!("lease of {job}")))
            .filter(watermark::Column::Reached.eq(held));
        Ok(extended.exec(&self.write()).await?.rows_affected > 0)
    }

    /// Records how far a recurring job has got. Never goes back: of two replicas the farther one counts.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn advance_watermark(&self, name: &str, reached: DateTime<Utc>) -> Result<(), StoreError> {
        let farther = OnConflict::column(watermark::Column::Name)
            .update_column(watermark::Column::Reached)
            .action_and_where(Expr::col((watermark::Entity, watermark::Column::Reached)).lt(reached))
            .to_owned();
        let row = watermark::Model { name: name.to_owned(), reached }.into_active_model();
        watermark::Entity::insert(row).on_conflict(farther).try_insert().exec_without_returning(&self.write()).await?;
        Ok(())
    }
}
