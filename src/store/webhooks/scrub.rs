//! Webhooks of erased users: the client's own reference of the user is in the bodies of deliveries, and endpoints may have
//! answered with anything.
//!
//! The deliveries of a user are found by its events, since the id of a delivery is made of its event and its endpoint; no
//! index by user is needed for it. Those of events that are archived are left to the retention of deliveries.

use std::collections::HashMap;

use entity::{event, webhook_attempt, webhook_delivery, webhook_endpoint};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError, Transaction, in_transaction};
use super::DeliveryState;
use super::relay::{RelayedEvent, delivery_id};

/// Events of a transaction. An endpoint has a delivery of each.
const PAGE: u64 = 50;

impl Store {
    /// Deletes the finished deliveries of a user's events, with what endpoints answered; those that are pending get the
    /// body that `seal` makes of their event.
    ///
    /// # Errors
    /// `Unavailable` without the database; some may be done then, and the same call does the rest.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn scrub_deliveries(
        &self,
        client_id: Uuid,
        user_id: Uuid,
        seal: &(dyn Fn(&RelayedEvent, Uuid) -> Vec<u8> + Sync),
    ) -> Result<(), StoreError> {
        let endpoints = webhook_endpoint::Entity::find()
            .select_only()
            .column(webhook_endpoint::Column::Id)
            .filter(webhook_endpoint::Column::ClientId.eq(client_id));
        let endpoints: Vec<Uuid> = endpoints.into_tuple().all(&self.read()).await?;
        let mut after = 0;
        while !endpoints.is_empty() {
            let events = event::Entity::find()
                .filter(event::Column::ClientId.eq(client_id))
                .filter(event::Column::UserId.eq(user_id))
                .filter(event::Column::Position.gt(after))
                .order_by_asc(event::Column::Position)
                .limit(PAGE)
                .all(&self.read())
                .await?;
            let Some(last) = events.last() else { break };
            after = last.position;
            let events: Vec<_> = events.into_iter().map(RelayedEvent::of_erased).collect();
            let of_event = |event: &RelayedEvent, endpoint| delivery_id(event.id, event.created_at, endpoint);
            let deliveries: HashMap<Uuid, &RelayedEvent> = events
                .iter()
                .flat_map(|event| endpoints.iter().map(move |endpoint| (of_event(event, *endpoint), event)))
                .collect();
            let scrubbed: Result<_, StoreError> =
                in_transaction!(self, |transaction| scrub_in(transaction, client_id, &deliveries, seal).await);
            scrubbed?;
        }
        Ok(())
    }
}

async fn scrub_in(
    transaction: &Transaction,
    client_id: Uuid,
    deliveries: &HashMap<Uuid, &RelayedEvent>,
    seal: &(dyn Fn(&RelayedEvent, Uuid) -> Vec<u8> + Sync),
) -> Result<(), StoreError> {
    use webhook_delivery::Column::{ClientId, Id, SealedBody, State};
    let of_client = || ClientId.eq(client_id);
    let found = webhook_delivery::Entity::find()
        .select_only()
        .columns([Id, State])
        .filter(of_client())
        .filter(Id.is_in(deliveries.keys().copied()))
        .order_by_asc(Id);
    let found: Vec<(Uuid, DeliveryState)> = found.into_tuple().all(transaction).await?;
    for (id, _) in found.iter().filter(|(_, state)| *state == DeliveryState::Pending) {
        let body = deliveries.get(id).map(|event| seal(event, *id)).unwrap_or_default();
        webhook_delivery::Entity::update_many()
            .col_expr(SealedBody, Expr::value(body))
            .filter(of_client())
            .filter(Id.eq(*id))
            .filter(State.eq(DeliveryState::Pending))
            .exec(transaction)
            .await?;
    }
    let of_attempt = || webhook_attempt::Column::ClientId.eq(client_id);
    let ids = found.iter().map(|(id, _)| *id);
    webhook_attempt::Entity::update_many()
        .col_expr(webhook_attempt::Column::SealedAnswer, Expr::value(Option::<Vec<u8>>::None))
        .filter(of_attempt())
        .filter(webhook_attempt::Column::DeliveryId.is_in(ids))
        .exec(transaction)
        .await?;
    let finished = found.iter().filter(|(_, state)| *state != DeliveryState::Pending).map(|(id, _)| *id);
    let finished: Vec<_> = finished.collect();
    webhook_attempt::Entity::delete_many()
        .filter(of_attempt())
        .filter(webhook_attempt::Column::DeliveryId.is_in(finished.iter().copied()))
        .exec(transaction)
        .await?;
    webhook_delivery::Entity::delete_many()
        .filter(of_client())
        .filter(Id.is_in(finished))
        .filter(State.ne(DeliveryState::Pending))
        .exec(transaction)
        .await?;
    Ok(())
}
