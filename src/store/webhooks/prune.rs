//! Forgetting what is long over.
//!
//! All of it goes by the index that the claim uses, endpoint by endpoint and the oldest first, so that a sweep costs what it
//! removes, however much there is, and writing a delivery costs no further index.

use chrono::{DateTime, Utc};
use entity::{webhook_attempt, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::PENDING;

/// What one batch has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Deliveries that are gone.
    pub removed: u64,
    /// Where the next batch begins: at the time of this one's last.
    pub reached: Option<DateTime<Utc>>,
}

impl Store {
    /// The endpoints, removed ones too, that have deliveries in this state since before `before`. Pending ones are to
    /// be sent, but to an endpoint that was itself removed before then.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn endpoints_to_prune(&self, state: &str, before: DateTime<Utc>) -> Result<Vec<Uuid>, StoreError> {
        use webhook_delivery::Column::{NextAt, State};
        use webhook_endpoint::Column::{DeletedAt, Id};
        // As an EXISTS, PostgreSQL would turn it into a join that reads every delivery.
        let oldest = of_endpoint()
            .and_where(State.eq(state))
            .and_where(NextAt.lt(before))
            .order_by((webhook_delivery::Entity, NextAt), Order::Asc)
            .limit(1)
            .take();
        let mut endpoints = webhook_endpoint::Entity::find().filter(Expr::from(oldest).is_not_null());
        if state == PENDING {
            endpoints = endpoints.filter(DeletedAt.lt(before));
        }
        Ok(endpoints.select_only().column(Id).into_tuple().all(&self.read()).await?)
    }

    /// Removes up to `limit` deliveries to an endpoint that are in this state since before `before`, with their attempts,
    /// the oldest first. `from`: where the batch before this one has got to, so that what it left behind for the database
    /// to clear away is not read again.
    ///
    /// What another process holds is passed over, and so is what has been replayed meanwhile.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is removed then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn prune_deliveries(
        &self,
        endpoint_id: Uuid,
        state: &str,
        from: Option<DateTime<Utc>>,
        before: DateTime<Utc>,
        limit: u64,
    ) -> Result<Pruned, StoreError> {
        use webhook_delivery::Column::{EndpointId, Id, NextAt, State};
        let mut old = webhook_delivery::Entity::find()
            .select_only()
            .columns([Id, NextAt])
            .filter(EndpointId.eq(endpoint_id))
            .filter(State.eq(state))
            .filter(NextAt.lt(before));
        if let Some(from) = from {
            old = old.filter(NextAt.gte(from));
        }
        let old = old.order_by_asc(NextAt).limit(limit).into_tuple::<(Uuid, DateTime<Utc>)>();
        let old = old.all(&self.read()).await?;
        let Some((_, reached)) = old.last().copied() else { return Ok(Pruned::default()) };
        let transaction = self.begin().await?;
        let held: Vec<Uuid> = webhook_delivery::Entity::find()
            .select_only()
            .column(Id)
            .filter(Id.is_in(old.into_iter().map(|(id, _)| id)))
            .filter(State.eq(state))
            .filter(NextAt.lt(before))
            .order_by_asc(Id)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple()
            .all(&transaction)
            .await?;
        if held.is_empty() {
            return Ok(Pruned { removed: 0, reached: Some(reached) });
        }
        let attempts = webhook_attempt::Column::DeliveryId.is_in(held.iter().copied());
        webhook_attempt::Entity::delete_many().filter(attempts).exec(&transaction).await?;
        let removed = webhook_delivery::Entity::delete_many().filter(Id.is_in(held)).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(Pruned { removed: removed.rows_affected, reached: Some(reached) })
    }

    /// Forgets the endpoints that were removed before `before` and have no deliveries any more.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn prune_endpoints(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        use webhook_delivery::Column::State;
        // The order keeps PostgreSQL at the index, where it would else hope to meet a delivery soon.
        let any = of_endpoint().order_by((webhook_delivery::Entity, State), Order::Asc).limit(1).take();
        webhook_endpoint::Entity::delete_many()
            .filter(webhook_endpoint::Column::DeletedAt.lt(before))
            .filter(Expr::from(any).is_null())
            .exec(&self.write())
            .await?;
        Ok(())
    }
}

/// The ids of the deliveries to an endpoint of the statement around this one.
fn of_endpoint() -> SelectStatement {
    use webhook_delivery::Column::{EndpointId, Id};
    let endpoint = (webhook_endpoint::Entity, webhook_endpoint::Column::Id);
    Query::select()
        .column((webhook_delivery::Entity, Id))
        .from(webhook_delivery::Entity)
        .and_where(Expr::col((webhook_delivery::Entity, EndpointId)).equals(endpoint))
        .take()
}
