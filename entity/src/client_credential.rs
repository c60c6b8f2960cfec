//! `client_credentials`: the passwords and API keys of the clients, hashed; several at a time during a rotation.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client_credentials")]
pub struct Model {
    /// The client it belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The password as a PHC string.
    #[sea_orm(column_type = "Text")]
    pub password_hash: String,
    /// Keyed digest of the API key, 32 bytes; unique.
    #[sea_orm(column_type = "Blob", unique)]
    pub api_key_digest: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it expires; None: never.
    pub expires_at: Option<DateTimeUtc>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The client that owns the row.
    #[sea_orm(belongs_to = "super::client::Entity", from = "Column::ClientId", to = "super::client::Column::Id")]
    Client,
}

impl Related<super::client::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Client.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
