//! `legal_holds`: what prevents the erasure of users.

use sea_orm::entity::prelude::*;

/// One row: one hold.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "legal_holds")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Why, sealed under the user's data key.
    #[sea_orm(column_type = "Blob")]
    pub sealed_reason: Vec<u8>,
    /// Who placed it: `client` or `operator`.
    #[sea_orm(column_type = "Text")]
    pub placed_by: String,
    /// When it was placed.
    pub placed_at: DateTimeUtc,
    /// When it was released; it holds until then.
    pub released_at: Option<DateTimeUtc>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
