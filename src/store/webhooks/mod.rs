//! Webhooks: the endpoints of clients, and the deliveries that the relay makes of events.
//!
//! A delivery is a row with a lease, as a job is: claimed by a token with its `next_at` at the lease's end, sent with no
//! transaction open, settled only while the token is still there. Locks, in this order: a client, the relay's cursor,
//! deliveries by id, endpoints by id.

mod claim;
mod deliveries;
mod endpoints;
mod prune;
mod relay;
mod replay;
mod replays;
mod scrub;
mod settle;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{webhook_delivery, webhook_endpoint};
use sea_orm::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use uuid::Uuid;

pub use claim::{Admission, Candidate, ClaimedDelivery};
pub use deliveries::{AttemptReport, DeliveryPage, DeliveryPlace, DeliveryRecord};
pub use endpoints::{Alteration, EndpointChange, NewEndpoint, Registration, SameUrl};
pub use prune::Pruned;
pub use relay::RelayedEvent;
pub use replay::Replay;
pub use replays::{NewReplay, ReplayRecord};
pub use settle::{DeliveryOutcome, DeliverySettlement, FailurePolicy, Settled};

pub use entity::webhook_delivery::DeliveryState;
pub use entity::webhook_endpoint::DisabledReason;
pub use entity::webhook_replay::ReplayState;

use super::StoreError;

/// How far the clocks of two processes may be apart. Statements that look only at the partitions since a time look so
/// much further back.
const CLOCK_SKEW: TimeDelta = TimeDelta::hours(1);

/// An endpoint as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointRecord {
    /// Identifier.
    pub id: Uuid,
    /// The client that receives.
    pub client_id: Uuid,
    /// Where, sealed.
    pub sealed_url: Vec<u8>,
    /// The signing secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// The previous signing secret, sealed, and until when it signs.
    pub previous: Option<(Vec<u8>, DateTime<Utc>)>,
    /// The kinds of events to send; empty: all.
    pub events: Vec<String>,
    /// Whether the events of a user arrive one after another.
    pub ordered: bool,
    /// Attempts that failed since the last success.
    pub failures: u32,
    /// Since when every attempt has failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when nothing is sent, because it failed or asked for a pause.
    pub paused_until: Option<DateTime<Utc>>,
    /// When and why it was disabled: nothing is sent until it is enabled.
    pub disabled: Option<(DateTime<Utc>, DisabledReason)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its owner last changed it.
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for EndpointRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointRecord").field("id", &self.id).finish_non_exhaustive()
    }
}

impl EndpointRecord {
    /// Whether it receives events of this kind.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.events.is_empty() || self.events.iter().any(|wanted| wanted == kind)
    }

    fn read(row: webhook_endpoint::Model) -> Result<Self, StoreError> {
        let corrupt = || StoreError::corrupt("a webhook endpoint");
        Ok(Self {
            id: row.id,
            client_id: row.client_id,
            sealed_url: row.sealed_url,
            sealed_secret: row.sealed_secret,
            previous: row.sealed_previous_secret.zip(row.previous_until),
            events: serde_json::from_value(row.events).map_err(|_| corrupt())?,
            ordered: row.ordered,
            failures: u32::try_from(row.failures).map_err(|_| corrupt())?,
            failing_since: row.failing_since,
            paused_until: row.paused_until,
            disabled: row.disabled_at.zip(row.disabled_reason),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The ids of the deliveries to the endpoint of the outer statement.
fn of_endpoint() -> SelectStatement {
    use webhook_delivery::Column::{ClientId, EndpointId, Id};
    let endpoint = |column| (webhook_endpoint::Entity, column);
    Query::select()
        .column((webhook_delivery::Entity, Id))
        .from(webhook_delivery::Entity)
        .and_where(Expr::col((webhook_delivery::Entity, ClientId)).equals(endpoint(webhook_endpoint::Column::ClientId)))
        .and_where(Expr::col((webhook_delivery::Entity, EndpointId)).equals(endpoint(webhook_endpoint::Column::Id)))
        .take()
}

/// Something to be sent to one endpoint.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Identifier.
    pub id: Uuid,
    /// The event, by which the receiver recognizes repetitions.
    pub event_id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// The client that receives.
    pub client_id: Uuid,
    /// The user it is about, if it is about one.
    pub user_id: Option<Uuid>,
    /// What happened.
    pub kind: String,
    /// The sequence number of the event among those of its user.
    pub sequence: i64,
    /// The body, sealed.
    pub sealed_body: Vec<u8>,
    /// The trace that it belongs to, as a `traceparent`.
    pub trace_context: Option<String>,
}

impl NewDelivery {
    fn into_row(self, now: DateTime<Utc>) -> webhook_delivery::ActiveModel {
        webhook_delivery::ActiveModel {
            id: Set(self.id),
            event_id: Set(self.event_id),
            endpoint_id: Set(self.endpoint_id),
            client_id: Set(self.client_id),
            user_id: Set(self.user_id),
            kind: Set(self.kind),
            sequence: Set(self.sequence),
            sealed_body: Set(self.sealed_body),
            state: Set(DeliveryState::Pending),
            attempts: Set(0),
            schedule_step: Set(0),
            next_at: Set(now),
            lease_token: Set(None),
            created_at: Set(now),
            delivered_at: Set(None),
            trace_context: Set(self.trace_context),
        }
    }
}
