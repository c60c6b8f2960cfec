//! `signing_keys`: the key pairs that sign our access tokens.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    /// Key id, as in the token header.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub kid: String,
    /// Public half, raw.
    #[sea_orm(column_type = "Blob")]
    pub public_key: Vec<u8>,
    /// Private half, sealed under the key ring.
    #[sea_orm(column_type = "Blob")]
    pub sealed_private_key: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// From when on tokens are signed with it; it is published before.
    pub signs_from: DateTimeUtc,
    /// From when on it is neither used nor published; absent: never.
    pub retires_at: Option<DateTimeUtc>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
