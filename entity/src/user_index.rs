//! `user_index`: by which values users are found. Digests alone, see `kira_users::vault::BlindIndex`.

use sea_orm::entity::prelude::*;

/// One row: the user has this value.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_index")]
pub struct Model {
    /// The client that owns the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// What is indexed in which form. Rows of another version than the program's are not read.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i16,
    /// A keyed digest of purpose and value.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Uuid,
    /// The user. Ids rise with time, so that the rows of a value are in the order of the users.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
