//! Pruning old deliveries.
//!
//! It goes by the index of the claim, endpoint by endpoint and the oldest first, so that it reads what it deletes, however
//! much there is, and writing a delivery costs no further index. On PostgreSQL the partitions of old days are dropped
//! before (`store/partitions.rs`); what is left to delete is pending for endpoints that were deleted, or was written while a
//! day had no partition.

use chrono::{DateTime, Utc};
use entity::{webhook_attempt, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::super::rows::with_keys;
use super::super::{Store, StoreError, in_transaction};
use super::{DeliveryState, of_endpoint};

/// The result of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Deliveries that were deleted.
    pub removed: u64,
    /// Where the next batch begins: at the time of this one's last.
    pub reached: Option<DateTime<Utc>>,
}

impl Store {
    /// The endpoints, each with its client first, that have deliveries in this state since before `before`; deleted
    /// endpoints too. Of pending deliveries only those to an endpoint that was deleted before then.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn endpoints_to_prune(
        &self,
        state: DeliveryState,
        before: DateTime<Utc>,
    ) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        use webhook_delivery::Column::{NextAt, State};
        use webhook_endpoint::Column::{ClientId, DeletedAt, Id};
        // As an EXISTS, PostgreSQL would turn it into a join that reads every delivery.
        let oldest = of_endpoint()
            .and_where(State.eq(state))
            .and_where(NextAt.lt(before))
            .order_by((webhook_delivery::Entity, NextAt), Order::Asc)
            .limit(1)
            .take();
        let mut endpoints = webhook_endpoint::Entity::find().filter(Expr::from(oldest).is_not_null());
        if state == DeliveryState::Pending {
            endpoints = endpoints.filter(DeletedAt.lt(before));
        }
        Ok(endpoints.select_only().columns([ClientId, Id]).into_tuple().all(&self.read()).await?)
    }

    /// Removes up to `limit` deliveries to an endpoint that are in this state since before `before`, with their attempts,
    /// the oldest first. `from`: where the previous batch ended, so that the dead rows that it left are not read again.
    ///
    /// Deliveries that another process has locked, or that were replayed meanwhile, are skipped.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is removed then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn prune_deliveries(
        &self,
        (client_id, endpoint_id): (Uuid, Uuid),
        state: DeliveryState,
        from: Option<DateTime<Utc>>,
        before: DateTime<Utc>,
        limit: u64,
    ) -> Result<Pruned, StoreError> {
        use webhook_delivery::Column::{ClientId, EndpointId, Id, NextAt, State};
        let mut old = webhook_delivery::Entity::find()
            .select_only()
            .columns([Id, NextAt])
            .filter(ClientId.eq(client_id))
            .filter(EndpointId.eq(endpoint_id))
            .filter(State.eq(state))
            .filter(NextAt.lt(before));
        if let Some(from) = from {
            old = old.filter(NextAt.gte(from));
        }
        let old = old.order_by_asc(NextAt).limit(limit).into_tuple::<(Uuid, DateTime<Utc>)>();
        let old = old.all(&self.read()).await?;
        let Some((_, reached)) = old.last().copied() else { return Ok(Pruned::default()) };
        let old: Vec<_> = old.into_iter().map(|(id, _)| (client_id, id)).collect();
        let removed: Result<_, StoreError> = in_transaction!(self, |transaction| {
            let free = webhook_delivery::Entity::find()
                .select_only()
                .column(Id)
                .filter(with_keys(ClientId, Id, old.iter().copied()))
                .filter(State.eq(state))
                .filter(NextAt.lt(before))
                .order_by_asc(Id);
            let held: Vec<Uuid> = transaction.claim(free).into_tuple().all(transaction).await?;
            if held.is_empty() {
                return Ok::<_, StoreError>(0);
            }
            let held: Vec<_> = held.into_iter().map(|id| (client_id, id)).collect();
            // Others are in partitions of their own, which are dropped by their own days.
            if !self.is_partitioned() {
                let keys = held.iter().copied();
                let attempts = with_keys(webhook_attempt::Column::ClientId, webhook_attempt::Column::DeliveryId, keys);
                webhook_attempt::Entity::delete_many().filter(attempts).exec(transaction).await?;
            }
            let held = Condition::all().add(with_keys(ClientId, Id, held)).add(State.eq(state)).add(NextAt.lt(before));
            let removed = webhook_delivery::Entity::delete_many().filter(held).exec(transaction).await?;
            Ok(removed.rows_affected)
        });
        let removed = removed?;
        Ok(Pruned { removed, reached: Some(reached) })
    }

    /// Prunes the endpoints that were deleted before `before` and have no deliveries left.
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
