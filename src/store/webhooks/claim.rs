//! Taking deliveries up.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{event, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LockBehavior, LockType, Query, SelectStatement, UnionType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, Iden, Order, QueryFilter, QueryOrder, QuerySelect, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::{EndpointRecord, PENDING};
use crate::ambient::Ambient;

/// Endpoints that one claim serves; each is a part of one statement.
const ENDPOINTS: u64 = 64;

/// How much a claim may take.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRoom {
    /// Deliveries in all.
    pub total: usize,
    /// Deliveries to one endpoint, those under way in this process included.
    pub per_endpoint: usize,
    /// An endpoint that has failed so often in a row is tried with one delivery at a time.
    pub probe_after: u32,
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
    /// What the receiver tells repetitions by.
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
    /// Claims deliveries that are due, fairly among the endpoints, each by one sender alone until `lease` has passed.
    /// `under_way` says how many of this process are on their way to which endpoint. Of an ordered endpoint, an event
    /// is passed over while an earlier one of its user is not delivered or given up.
    ///
    /// Each endpoint's deliveries are found by an index of their own, so that neither a long backlog nor one endpoint's
    /// stands before another's.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is claimed then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn claim_deliveries(
        &self,
        ambient: &dyn Ambient,
        under_way: &HashMap<Uuid, usize>,
        room: ClaimRoom,
        lease: TimeDelta,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let now = ambient.now();
        let full: Vec<Uuid> =
            under_way.iter().filter(|(_, count)| **count >= room.per_endpoint).map(|(id, _)| *id).collect();
        let mut endpoints = HashMap::new();
        let mut parts = Vec::new();
        for row in self.endpoints_with_work(now, full).await? {
            let endpoint = EndpointRecord::read(row)?;
            let at_once = if endpoint.failures >= room.probe_after { 1 } else { room.per_endpoint };
            let share = at_once.saturating_sub(under_way.get(&endpoint.id).copied().unwrap_or_default());
            if share > 0 {
                parts.push(due(&endpoint, now, share.min(room.total)));
                endpoints.insert(endpoint.id, endpoint);
            }
        }
        let Some(candidates) = union(parts) else { return Ok(Vec::new()) };
        let transaction = self.begin().await?;
        let candidates = transaction.query_all(&candidates).await?;
        let ids: Vec<Uuid> = candidates.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
        let found = webhook_delivery::Entity::find()
            .filter(webhook_delivery::Column::Id.is_in(ids))
            // Another sender may have been faster.
            .filter(webhook_delivery::Column::State.eq(PENDING))
            .filter(webhook_delivery::Column::NextAt.lte(now))
            .order_by_asc(webhook_delivery::Column::NextAt)
            .limit(room.total as u64)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&transaction)
            .await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let token = ambient.new_id();
        let row = webhook_delivery::ActiveModel {
            lease_token: Set(Some(token)),
            next_at: Set(now + lease),
            ..Default::default()
        };
        webhook_delivery::Entity::update_many()
            .set(row)
            .col_expr(webhook_delivery::Column::Attempts, Expr::col(webhook_delivery::Column::Attempts).add(1))
            .filter(webhook_delivery::Column::Id.is_in(found.iter().map(|row| row.id)))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
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
        full: Vec<Uuid>,
    ) -> Result<Vec<webhook_endpoint::Model>, StoreError> {
        use webhook_delivery::Column::{EndpointId, NextAt, State};
        use webhook_endpoint::Column::{DeletedAt, DisabledAt, Id, PausedUntil};
        // The first due delivery of each endpoint, by the index: as an EXISTS, PostgreSQL turns it into a join that reads a
        // long backlog whole.
        let work = Query::select()
            .column((webhook_delivery::Entity, webhook_delivery::Column::Id))
            .from(webhook_delivery::Entity)
            .and_where(Expr::col((webhook_delivery::Entity, EndpointId)).equals((webhook_endpoint::Entity, Id)))
            .and_where(State.eq(PENDING))
            .and_where(NextAt.lte(now))
            .order_by((webhook_delivery::Entity, NextAt), Order::Asc)
            .limit(1)
            .take();
        let open = Condition::any().add(PausedUntil.is_null()).add(PausedUntil.lte(now));
        let endpoints = webhook_endpoint::Entity::find()
            .filter(DeletedAt.is_null())
            .filter(DisabledAt.is_null())
            .filter(open)
            .filter(Id.is_not_in(full))
            .filter(Expr::from(work).is_not_null())
            .order_by(Expr::from(Func::random()), Order::Asc)
            .limit(ENDPOINTS);
        Ok(endpoints.all(&self.read()).await?)
    }
}

/// The ids of up to `limit` deliveries to `endpoint` that are due, the longest due first.
fn due(endpoint: &EndpointRecord, now: DateTime<Utc>, limit: usize) -> SelectStatement {
    use webhook_delivery::Column::{EndpointId, Id, NextAt, Sequence, State, UserId};
    let this = |column: webhook_delivery::Column| Expr::col((DELIVERY, column));
    let mut due = Query::select()
        .column((DELIVERY, Id))
        .from_as(webhook_delivery::Entity, DELIVERY)
        .and_where(this(EndpointId).eq(endpoint.id))
        .and_where(this(State).eq(PENDING))
        .and_where(this(NextAt).lte(now))
        .order_by((DELIVERY, NextAt), Order::Asc)
        .order_by((DELIVERY, Sequence), Order::Asc)
        .limit(limit as u64)
        .take();
    if endpoint.ordered {
        let other = |column: webhook_delivery::Column| Expr::col((EARLIER, column));
        let on_its_way = Query::select()
            .expr(Expr::value(1))
            .from_as(webhook_delivery::Entity, EARLIER)
            .and_where(other(EndpointId).eq(endpoint.id))
            .and_where(other(UserId).equals((DELIVERY, UserId)))
            .and_where(other(State).eq(PENDING))
            .and_where(other(Sequence).lt(this(Sequence)))
            .take();
        let not_relayed = Query::select()
            .expr(Expr::value(1))
            .from(event::Entity)
            .and_where(Expr::col((event::Entity, event::Column::UserId)).equals((DELIVERY, UserId)))
            .and_where(Expr::col((event::Entity, event::Column::RelayedAt)).is_null())
            .and_where(Expr::col((event::Entity, event::Column::Sequence)).lt(this(Sequence)))
            .take();
        due.and_where(Expr::not_exists(on_its_way)).and_where(Expr::not_exists(not_relayed));
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
        let id = (DELIVERY, webhook_delivery::Column::Id);
        Query::select().column(id).from_subquery(part, DELIVERY).take()
    });
    let mut first = parts.next()?;
    for part in parts {
        first.union(UnionType::All, part);
    }
    Some(first)
}
