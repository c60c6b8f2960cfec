//! `idempotency_keys`: which key of which client made which user, attempt or change. They never expire.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// The client whose key it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// A digest of the operation and the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Uuid,
    /// Keyed digests of the request and of the row, 32 bytes each.
    #[sea_orm(column_type = "Blob")]
    pub fingerprint: Vec<u8>,
    /// The user that the request made or changed; the client itself, of a request that was about none of its users.
    pub user_id: Uuid,
    /// What the request made or changed beside a user: a verification attempt, a webhook endpoint, a delivery.
    pub resource_id: Option<Uuid>,
    /// What the request did: names of fields and flags, nothing personal. Only of changes.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub outcome: Option<Json>,
    /// When it was first used.
    pub created_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
