//! `users`: one row for each user. The profile is one sealed blob; only what queries need is in clear.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Individual or business.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Category derived from the address, where known.
    #[sea_orm(column_type = "Text", nullable)]
    pub category: Option<String>,
    /// The status of its life cycle.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// The current verification attempt.
    pub attempt_id: Option<Uuid>,
    /// Why the status is what it is: codes, messages and paths, never values. None: no reason.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub status_reasons: Option<Json>,
    /// Whether a verification was ever started.
    pub verification_triggered: bool,
    /// What is still missing: field names only.
    #[sea_orm(column_type = "JsonBinary")]
    pub missing: Json,
    /// The user's data key, wrapped by a master key.
    #[sea_orm(column_type = "Blob")]
    pub wrapped_key: Vec<u8>,
    /// The profile, sealed under the data key.
    #[sea_orm(column_type = "Blob")]
    pub profile: Vec<u8>,
    /// Which version of the index has the user's entries, see `user_index`.
    pub index_version: i16,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
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
