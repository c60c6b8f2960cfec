//! `review_steps`: the steps of reviewers, one row each; never changed.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "review_steps")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The verification attempt that is reviewed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The user it is about.
    pub user_id: Uuid,
    /// The reviewer; none for an operator at the command line.
    pub reviewer_id: Option<Uuid>,
    /// The name of the reviewer or operator, as it was then.
    #[sea_orm(column_type = "Text")]
    pub reviewer: String,
    /// The action.
    #[sea_orm(column_type = "Text")]
    pub action: String,
    /// The reason that the client sees.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// For reviewers alone, sealed under the user's data key.
    #[sea_orm(column_type = "Blob", nullable)]
    pub sealed_note: Option<Vec<u8>>,
    /// When it was taken.
    pub created_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
