//! `webhook_endpoints`: where clients receive events.

use sea_orm::entity::prelude::*;

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum DisabledReason {
    /// Its owner disabled it.
    ByOwner,
    /// Every attempt has failed for too long.
    Failing,
    /// It answered that it is gone.
    Gone,
}

impl DisabledReason {
    /// The code that clients and operators see.
    #[must_use]
    pub fn code(self) -> String {
        self.to_value()
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub struct Model {
    /// The client that receives.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Where, sealed: path and query often hold a token.
    pub sealed_url: Vec<u8>,
    /// The signing secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// The previous signing secret, sealed.
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
    /// Until when nothing is sent, because it failed or asked for a pause.
    pub paused_until: Option<DateTimeUtc>,
    /// When it was disabled: nothing is sent until it is enabled.
    pub disabled_at: Option<DateTimeUtc>,
    /// Why it is disabled.
    pub disabled_reason: Option<DisabledReason>,
    /// When it was deleted; its deliveries are kept for a while.
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
