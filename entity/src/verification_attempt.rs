//! `verification_attempts`: one row for each time a user is verified.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "verification_attempts")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The user it verifies.
    pub user_id: Uuid,
    /// What started it.
    #[sea_orm(column_type = "Text")]
    pub trigger: String,
    /// Its state.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// The provider; None before a worker claimed it.
    #[sea_orm(column_type = "Text", nullable)]
    pub provider: Option<String>,
    /// What a good outcome proves.
    #[sea_orm(column_type = "Text", nullable)]
    pub assurance: Option<String>,
    /// Why it ended as it did: codes, messages and paths, never values.
    #[sea_orm(column_type = "JsonBinary")]
    pub reasons: Json,
    /// What the provider calls it, sealed under the user's data key.
    #[sea_orm(column_type = "Blob", nullable)]
    pub sealed_reference: Option<Vec<u8>>,
    /// The provider's raw answer, sealed under the user's data key.
    #[sea_orm(column_type = "Blob", nullable)]
    pub sealed_answer: Option<Vec<u8>>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When a worker first claimed it.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub finished_at: Option<DateTimeUtc>,
    /// When it becomes REVIEW without an outcome.
    pub deadline_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The client that owns the user.
    #[sea_orm(belongs_to = "super::client::Entity", from = "Column::ClientId", to = "super::client::Column::Id")]
    Client,
    /// The user it verifies.
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "(Column::ClientId, Column::UserId)",
        to = "(super::user::Column::ClientId, super::user::Column::Id)"
    )]
    User,
}

impl Related<super::client::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Client.def()
    }
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
