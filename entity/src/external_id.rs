//! `external_ids`: whose an external id is, where an installation keeps them unique.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "external_ids")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// A keyed digest of the external id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Uuid,
    /// The user that has it.
    pub user_id: Uuid,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
