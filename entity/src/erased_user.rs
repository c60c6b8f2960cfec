//! `erased_users`: what is left of users that were erased.

use sea_orm::entity::prelude::*;

/// One row: the user is erased.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erased_users")]
pub struct Model {
    /// The client that owned the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// When it was erased.
    pub erased_at: DateTimeUtc,
    /// What the certificate says, as it was signed.
    #[sea_orm(column_type = "Text")]
    pub statement: String,
    /// The signature of the statement, in base64.
    #[sea_orm(column_type = "Text")]
    pub signature: String,
    /// When webhooks under way were cleared of the user, and the certificate was stored outside the database.
    pub finished_at: Option<DateTimeUtc>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
