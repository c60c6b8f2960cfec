//! `idempotency_keys`: which key of which client made which user, or what of a user. They never expire.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// The client whose key it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The operation it was used for.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub operation: String,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Uuid,
    /// Keyed digest of the request, 32 bytes.
    #[sea_orm(column_type = "Blob")]
    pub fingerprint: Vec<u8>,
    /// The user it made, or was used for.
    pub user_id: Uuid,
    /// What it made of the user's: a verification attempt; None: the user itself.
    pub resource_id: Option<Uuid>,
    /// When it was claimed.
    pub created_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
