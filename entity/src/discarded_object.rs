//! `discarded_objects`: content in the document store whose document is gone, until it is deleted. Written with the
//! change that removes the document, so that no crash in between leaves it behind.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "discarded_objects")]
pub struct Model {
    /// Where the sealed content lies in the document store.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub object_key: String,
    /// When the document was removed.
    pub discarded_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
