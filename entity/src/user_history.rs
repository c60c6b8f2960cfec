//! `user_history`: who changed what of a user when, and each status with its reasons. Written once. Nothing personal but what
//! a reviewer told the client.

use sea_orm::entity::prelude::*;

/// One row: one change.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_history")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// The user's version after the change.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    /// What happened.
    #[sea_orm(column_type = "Text")]
    pub action: String,
    /// Who did it. Which reviewer is in `review_steps`.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    /// The verification provider, where it decided.
    #[sea_orm(column_type = "Text", nullable)]
    pub provider: Option<String>,
    /// A list of the request names of what changed.
    #[sea_orm(column_type = "JsonBinary")]
    pub fields: Json,
    /// The status before, where it changed.
    #[sea_orm(column_type = "Text", nullable)]
    pub previous_status: Option<String>,
    /// The status after.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// Why the status is as it is: a list of codes, messages and paths.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub reasons: Option<Json>,
    /// The verification attempt that it is about, or that it started.
    pub attempt_id: Option<Uuid>,
    /// When it happened.
    pub created_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
