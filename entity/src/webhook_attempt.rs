//! `webhook_attempts`: the result of each attempt to deliver.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_attempts")]
pub struct Model {
    /// The client that receives.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// The delivery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: Uuid,
    /// Counts from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// What the endpoint answered, if it did.
    pub status_code: Option<i64>,
    /// Why it failed, as a code.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// The beginning of the answer's body, sealed.
    pub sealed_answer: Option<Vec<u8>>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
