//! `clients`: who calls this service; every user belongs to one.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clients")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What the operator calls it.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// What it may do.
    #[sea_orm(column_type = "Text")]
    pub role: String,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it was disabled; None: it is enabled.
    pub disabled_at: Option<DateTimeUtc>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
