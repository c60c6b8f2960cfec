//! What the recurring sweeps need: how far they got, and what is still referred to.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entity::{discarded_object, document, watermark};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;

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
            let found = document::Entity::find()
                .select_only()
                .column(document::Column::ObjectKey)
                .filter(document::Column::ObjectKey.is_in(keys))
                .into_tuple::<String>()
                .all(&self.read())
                .await?;
            referenced.extend(found);
        }
        Ok(referenced)
    }

    /// Objects whose documents are gone, the longest gone first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn discarded_objects(&self, limit: u64) -> Result<Vec<String>, StoreError> {
        let found = discarded_object::Entity::find()
            .select_only()
            .column(discarded_object::Column::ObjectKey)
            .order_by_asc(discarded_object::Column::DiscardedAt)
            .limit(limit)
            .into_tuple::<String>();
        Ok(found.all(&self.read()).await?)
    }

    /// Forgets discarded objects once they are deleted.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn forget_discarded_objects(&self, keys: &[String]) -> Result<(), StoreError> {
        for keys in keys.chunks(AT_ONCE) {
            let gone = discarded_object::Column::ObjectKey.is_in(keys);
            discarded_object::Entity::delete_many().filter(gone).exec(&self.write()).await?;
        }
        Ok(())
    }

    /// How far a sweep has got: everything before is done. None: it never ran.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn watermark(&self, name: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(watermark::Entity::find_by_id(name).one(&self.read()).await?.map(|row| row.reached))
    }

    /// Records how far a sweep has got. Never goes back: of two replicas the farther one counts.
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
