//! `webhook_replays`: requests to send many deliveries again; work as rows with leases.

use sea_orm::entity::prelude::*;

/// The states of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ReplayState {
    /// It goes on.
    Running,
    /// All that it covers is queued.
    Done,
    /// It was stopped before its end.
    Cancelled,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_replays")]
pub struct Model {
    /// The client that receives.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: Uuid,
    /// Identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// Its state.
    pub state: ReplayState,
    /// Whether it covers what was delivered too; else only what is dead.
    pub delivered_too: bool,
    /// It covers what was made then or later.
    pub since: Option<DateTimeUtc>,
    /// It covers what was made before then: its own time, or an earlier one that was asked for.
    pub until: DateTimeUtc,
    /// When the last delivery that it has queued was made.
    pub reached_at: Option<DateTimeUtc>,
    /// The last delivery that it has queued.
    pub reached_id: Option<Uuid>,
    /// How many it has queued.
    pub replayed: i64,
    /// When it goes on; under a lease, when that ends.
    pub run_at: DateTimeUtc,
    /// A new token for each lease.
    pub lease_token: Option<Uuid>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When it ended.
    pub finished_at: Option<DateTimeUtc>,
}

/// Links to other tables.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
