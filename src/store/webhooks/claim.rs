//! Claiming deliveries.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement, UnionType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, Iden, Order, QueryFilter, QueryOrder, QuerySelect, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::rows::with_keys;
use super::super::{Store, StoreError, in_transaction};
use super::{DeliveryState, EndpointRecord, of_endpoint};
use crate::env::Env;

/// Endpoints that one claim serves; each is a part of one statement.
const ENDPOINTS: u64 = 64;

/// Decides what a claim takes.
pub trait Admission: Send + Sync {
    /// The clients that nothing is claimed for.
    fn full_clients(&self) -> Vec<Uuid>;

    /// The endpoints that nothing is claimed for.
    fn full_endpoints(&self) -> Vec<Uuid>;

    /// How many deliveries to this endpoint may be claimed at most.
    fn room(&self, endpoint: &EndpointRecord) -> usize;

    /// Those to claim. The candidates of each endpoint are in their order, the longest due first.
    fn choose(&self, candidates: Vec<Candidate>) -> Vec<Uuid>;
}

/// A delivery that is due.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The delivery.
    pub id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// The client that owns the endpoint.
    pub client_id: Uuid,
}

/// A delivery under a lease, with all that sending it needs.
#[derive(Clone, Debug)]
pub struct ClaimedDelivery {
    /// Identifier.
    pub id: Uuid,
    /// Proves that the delivery is still ours when it is settled.
    pub lease: Uuid,
    /// Counts the attempts, this one included.
    pub number: u32,
    /// Which step of the schedule this is, from 0.
    pub step: u32,
    /// The event, by which the receiver recognizes repetitions.
    pub event_id: Uuid,
    /// What happened.
    pub kind: String,
    /// The body, sealed.
    pub sealed_body: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The trace that its event happened in, as a `traceparent`.
    pub trace_context: Option<String>,
    /// Where it goes.
    pub endpoint: EndpointRecord,
}

impl Store {
    /// Claims deliveries that are due and that `admission` chooses, each by one sender alone until `lease` has passed.
    /// Of an ordered endpoint, an event is skipped while an earlier one of its user is pending.
    ///
    /// Each endpoint's deliveries are found by an index range of their own, so that no backlog delays another endpoint.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is claimed then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn claim_deliveries(
        &self,
        env: &dyn Env,
        admission: &dyn Admission,
        lease: TimeDelta,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let now = env.now();
        let mut endpoints = HashMap::new();
        let mut parts = Vec::new();
        for row in self.endpoints_with_work(now, admission).await? {
            let endpoint = EndpointRecord::read(row)?;
            let room = admission.room(&endpoint);
            if room > 0 {
                parts.push(due(&endpoint, now, room));
                endpoints.insert(endpoint.id, endpoint);
            }
        }
        let Some(candidates) = union(parts) else { return Ok(Vec::new()) };
        let token = env.new_id();
        let found: Result<_, StoreError> = in_transaction!(self, |transaction| {
            let rows = transaction.query_all(&candidates).await?;
            let rows: Vec<(Uuid, Uuid)> = rows
                .iter()
                .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
                .collect::<Result<_, DbErr>>()?;
            let candidates = rows.into_iter().filter_map(|(id, endpoint_id)| {
                let client_id = endpoints.get(&endpoint_id)?.client_id;
                Some(Candidate { id, endpoint_id, client_id })
            });
            let candidates: Vec<_> = candidates.collect();
            let chosen: HashSet<Uuid> = admission.choose(candidates.clone()).into_iter().collect();
            let chosen = candidates.into_iter().filter(|candidate| chosen.contains(&candidate.id));
            let chosen: Vec<_> = chosen.map(|candidate| (candidate.client_id, candidate.id)).collect();
            if chosen.is_empty() {
                return Ok::<_, StoreError>(Vec::new());
            }
            let free = webhook_delivery::Entity::find()
                .filter(with_keys(webhook_delivery::Column::ClientId, webhook_delivery::Column::Id, chosen))
                // Another sender may have claimed it meanwhile.
                .filter(webhook_delivery::Column::State.eq(DeliveryState::Pending))
                .filter(webhook_delivery::Column::NextAt.lte(now))
                .order_by_asc(webhook_delivery::Column::NextAt);
            let found = transaction.claim(free).all(transaction).await?;
            if found.is_empty() {
                return Ok(found);
            }
            let row = webhook_delivery::ActiveModel {
                lease_token: Set(Some(token)),
                next_at: Set(now + lease),
                ..Default::default()
            };
            webhook_delivery::Entity::update_many()
                .set(row)
                .col_expr(webhook_delivery::Column::Attempts, Expr::col(webhook_delivery::Column::Attempts).add(1))
                .filter(with_keys(
                    webhook_delivery::Column::ClientId,
                    webhook_delivery::Column::Id,
                    found.iter().map(|row| (row.client_id, row.id)),
                ))
                .filter(webhook_delivery::Column::State.eq(DeliveryState::Pending))
                .exec(transaction)
                .await?;
            Ok(found)
        });
        let found = found?;
        let claimed = found.into_iter().filter_map(|row| {
            Some(ClaimedDelivery {
                id: row.id,
                lease: token,
                // The row was read before this claim counted.
                number: u32::try_from(row.attempts).unwrap_or_default().saturating_add(1),
                step: u32::try_from(row.schedule_step).unwrap_or_default(),
                event_id: row.event_id,
                kind: row.kind,
                sealed_body: row.sealed_body,
                created_at: row.created_at,
                trace_context: row.trace_context,
                endpoint: endpoints.get(&row.endpoint_id)?.clone(),
            })
        });
        Ok(claimed.collect())
    }

    /// Some of the endpoints that may be sent to and have something due; chance decides which, where there are many.
    async fn endpoints_with_work(
        &self,
        now: DateTime<Utc>,
        admission: &dyn Admission,
    ) -> Result<Vec<webhook_endpoint::Model>, StoreError> {
        use webhook_delivery::Column::{NextAt, State};
        use webhook_endpoint::Column::{ClientId, DeletedAt, DisabledAt, Id, PausedUntil};
        // The first due delivery of each endpoint, by the index: as an EXISTS, PostgreSQL turns it into a join that reads a
        // long backlog whole.
        let work = of_endpoint()
            .and_where(State.eq(DeliveryState::Pending))
            .and_where(NextAt.lte(now))
            .order_by((webhook_delivery::Entity, NextAt), Order::Asc)
            .limit(1)
            .take();
        let open = Condition::any().add(PausedUntil.is_null()).add(PausedUntil.lte(now));
        let endpoints = webhook_endpoint::Entity::find()
            .filter(DeletedAt.is_null())
            .filter(DisabledAt.is_null())
            .filter(open)
            .filter(Id.is_not_in(admission.full_endpoints()))
            .filter(ClientId.is_not_in(admission.full_clients()))
            .filter(Expr::from(work).is_not_null())
            .order_by(Expr::from(Func::random()), Order::Asc)
            .limit(ENDPOINTS);
        Ok(endpoints.all(&self.read()).await?)
    }
}

/// The ids of up to `limit` deliveries to `endpoint` that are due, the longest due first.
fn due(endpoint: &EndpointRecord, now: DateTime<Utc>, limit: usize) -> SelectStatement {
    use webhook_delivery::Column::{ClientId, EndpointId, Id, NextAt, Sequence, State, UserId};
    let this = |column: webhook_delivery::Column| Expr::col((DELIVERY, column));
    let mut due = Query::select()
        .columns([(DELIVERY, Id), (DELIVERY, EndpointId)])
        .from_as(webhook_delivery::Entity, DELIVERY)
        .and_where(this(ClientId).eq(endpoint.client_id))
        .and_where(this(EndpointId).eq(endpoint.id))
        .and_where(this(State).eq(DeliveryState::Pending))
        .and_where(this(NextAt).lte(now))
        .order_by((DELIVERY, NextAt), Order::Asc)
        .order_by((DELIVERY, Sequence), Order::Asc)
        .limit(limit as u64)
        .take();
    if endpoint.ordered {
        let other = |column: webhook_delivery::Column| Expr::col((EARLIER, column));
        // Events are relayed in their order: no earlier one is still to be relayed. A value, which is looked up for each
        // delivery: of a NOT EXISTS PostgreSQL makes a join, which reads a backlog whole if it came after the last ANALYZE.
        let pending = Query::select()
            .expr(Expr::value(1))
            .from_as(webhook_delivery::Entity, EARLIER)
            .and_where(other(ClientId).eq(endpoint.client_id))
            .and_where(other(EndpointId).eq(endpoint.id))
            .and_where(other(UserId).equals((DELIVERY, UserId)))
            // As the index has it, which a parameter would not match.
            .and_where(Expr::cust("\"earlier\".\"state\" = 'pending'"))
            .and_where(other(Sequence).lt(this(Sequence)))
            .limit(1)
            .take();
        due.and_where(Expr::from(pending).is_null());
    }
    due
}

const DELIVERY: Alias = Alias("d");
const EARLIER: Alias = Alias("earlier");

/// A name that a statement gives a table.
#[derive(Clone, Copy, Debug)]
struct Alias(&'static str);

impl Iden for Alias {
    fn unquoted(&self) -> &str {
        self.0
    }
}

/// One statement of all parts; none of nothing. Each part is a subquery, because SQLite takes no limit within a union.
fn union(parts: Vec<SelectStatement>) -> Option<SelectStatement> {
    let mut parts = parts.into_iter().map(|part| {
        use webhook_delivery::Column::{EndpointId, Id};
        Query::select().columns([(DELIVERY, Id), (DELIVERY, EndpointId)]).from_subquery(part, DELIVERY).take()
    });
    let mut first = parts.next()?;
    for part in parts {
        first.union(UnionType::All, part);
    }
    Some(first)
}
