//! `webhook_endpoints`: where clients want to be told what happens.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub struct Model {
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The client that is told.
    pub client_id: Uuid,
    /// Where.
    #[sea_orm(column_type = "Text")]
    pub url: String,
    /// What signs, sealed.
    pub sealed_secret: Vec<u8>,
    /// What signed before and signs still, sealed.
    pub sealed_previous_secret: Option<Vec<u8>>,
    /// Until when the previous secret signs beside the new one.
    pub previous_until: Option<DateTimeUtc>,
    /// A list of the kinds of events that are wanted; empty: all.
    #[sea_orm(column_type = "JsonBinary")]
    pub events: Json,
    /// Whether the events of a user arrive one after another.
    pub ordered: bool,
    /// Attempts that failed since the last success.
    pub failures: i64,
    /// Since when every attempt has failed.
    pub failing_since: Option<DateTimeUtc>,
    /// Until when nothing is sent, because it failed or asked for it.
    pub paused_until: Option<DateTimeUtc>,
    /// Since when nothing is sent until somebody enables it.
    pub disabled_at: Option<DateTimeUtc>,
    /// Why: a code.
    #[sea_orm(column_type = "Text", nullable)]
    pub disabled_reason: Option<String>,
    /// Since when it is no more; its deliveries stay as a record.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When its owner last changed it.
    pub updated_at: DateTimeUtc,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
