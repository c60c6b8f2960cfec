//! The webhooks service: a client's endpoints, and the deliveries to them.

mod admin;
mod convert;

use chrono::{DateTime, Utc};
use kira_gateway::error::{self, ErrorReason};
use prost::Message;
use serde::de::DeserializeOwned;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use self::admin::EVENT_ID;
pub use self::admin::{WebhookAdmin, Wishes};
use super::failure::corrupt;
pub use super::idempotency::Keyed;
use super::request::{PageRequest, answer, caller, checked_id};
use crate::contract::v1;
use crate::contract::v1::webhooks_service_server::WebhooksService;
use crate::store::{
    DeliveryPage, DeliveryState, EndpointChange, EndpointRecord, IdempotencyRecord, NewReplay, Once, ReplayRecord,
};
use crate::webhook::signature::EndpointSecret;

/// How many deliveries a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 10;
/// For how long, in seconds, the secret before signs beside the new one where the caller does not say.
const DEFAULT_OVERLAP: u32 = 86_400;

/// The admin as a service of the contract.
pub struct Webhooks {
    /// The implementation, shared with the command line.
    pub admin: WebhookAdmin,
}

#[tonic::async_trait]
impl WebhooksService for Webhooks {
    async fn register_webhook(
        &self,
        request: Request<v1::RegisterWebhookRequest>,
    ) -> Result<Response<v1::RegisterWebhookResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "register_webhook", request.idempotency_key.take(), &request)?;
        let v1::RegisterWebhookRequest { client_uuid, webhook_url, secret, .. } = request;
        if checked_id(client_uuid)? != client_id {
            return Err(error::with_reason(ErrorReason::Forbidden));
        }
        let is_made = secret.is_none();
        let (url, secret) = (webhook_url.unwrap_or_default(), self.given_or_made(secret, keyed.as_ref()));
        let registration = self.admin.register(client_id, url, &secret, keyed.as_ref());
        let registered = self.admin.once(keyed.as_ref(), registration).await?;
        let message = v1::RegisterWebhookResponse {
            message: "Webhook registered successfully".to_owned(),
            secret: is_made.then(|| secret.expose().to_owned()),
        };
        Ok(answer(message, matches!(registered, Once::Claimed(_))))
    }

    async fn create_webhook_endpoint(
        &self,
        request: Request<v1::CreateWebhookEndpointRequest>,
    ) -> Result<Response<v1::CreateWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "create_webhook_endpoint", request.idempotency_key.take(), &request)?;
        let v1::CreateWebhookEndpointRequest { url, secret, events, ordered, enabled, .. } = request;
        let secret = self.given_or_made(secret, keyed.as_ref());
        let wishes = Wishes {
            events: events.map(kinds).unwrap_or_default(),
            ordered: ordered.unwrap_or_default(),
            enabled: enabled.unwrap_or(true),
        };
        let creation = self.admin.create(client_id, url.unwrap_or_default(), &secret, wishes, keyed.as_ref());
        let created = self.admin.once(keyed.as_ref(), creation).await?;
        let (endpoint, was_replayed) = self.endpoint_of(client_id, created).await?;
        let message = v1::CreateWebhookEndpointResponse { endpoint, secret: secret.expose().to_owned() };
        Ok(answer(message, was_replayed))
    }

    async fn list_webhook_endpoints(
        &self,
        request: Request<v1::ListWebhookEndpointsRequest>,
    ) -> Result<Response<v1::ListWebhookEndpointsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let endpoints = self.admin.endpoints(Some(client_id)).await?;
        let pending = self.admin.pending(client_id).await?;
        let shown = |endpoint: &EndpointRecord| {
            self.admin.shown(endpoint, pending.get(&endpoint.id).copied().unwrap_or_default())
        };
        let data = endpoints.iter().map(shown).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListWebhookEndpointsResponse { data }))
    }

    async fn get_webhook_endpoint(
        &self,
        request: Request<v1::GetWebhookEndpointRequest>,
    ) -> Result<Response<v1::GetWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let id = checked_id(request.into_inner().endpoint_id)?;
        let endpoint = self.admin.endpoint(client_id, id).await?;
        let endpoint = Some(self.shown(&endpoint).await?);
        Ok(Response::new(v1::GetWebhookEndpointResponse { endpoint }))
    }

    async fn update_webhook_endpoint(
        &self,
        request: Request<v1::UpdateWebhookEndpointRequest>,
    ) -> Result<Response<v1::UpdateWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "update_webhook_endpoint", request.idempotency_key.take(), &request)?;
        let v1::UpdateWebhookEndpointRequest { endpoint_id, url, events, ordered, enabled, .. } = request;
        let change = EndpointChange { events: events.map(kinds), ordered, enabled, ..EndpointChange::default() };
        let alteration = self.admin.change(client_id, checked_id(endpoint_id)?, url, change, keyed.as_ref());
        let changed = self.admin.once(keyed.as_ref(), alteration).await?;
        let (endpoint, was_replayed) = self.endpoint_of(client_id, changed).await?;
        Ok(answer(v1::UpdateWebhookEndpointResponse { endpoint }, was_replayed))
    }

    async fn delete_webhook_endpoint(
        &self,
        request: Request<v1::DeleteWebhookEndpointRequest>,
    ) -> Result<Response<v1::DeleteWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "delete_webhook_endpoint", request.idempotency_key.take(), &request)?;
        let deletion = self.admin.delete(client_id, checked_id(request.endpoint_id)?, keyed.as_ref());
        let deleted = self.admin.once(keyed.as_ref(), deletion).await?;
        let message = v1::DeleteWebhookEndpointResponse { message: "Webhook endpoint deleted".to_owned() };
        Ok(answer(message, matches!(deleted, Once::Claimed(_))))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<v1::RotateWebhookSecretRequest>,
    ) -> Result<Response<v1::RotateWebhookSecretResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "rotate_webhook_secret", request.idempotency_key.take(), &request)?;
        let v1::RotateWebhookSecretRequest { endpoint_id, secret, overlap_seconds, .. } = request;
        let secret = self.given_or_made(secret, keyed.as_ref());
        let overlap = overlap_seconds.unwrap_or(DEFAULT_OVERLAP);
        let rotation = self.admin.rotate(client_id, checked_id(endpoint_id)?, &secret, overlap, keyed.as_ref());
        let rotated = self.admin.once(keyed.as_ref(), rotation).await?;
        let (endpoint, was_replayed) = self.endpoint_of(client_id, rotated).await?;
        let message = v1::RotateWebhookSecretResponse { endpoint, secret: secret.expose().to_owned() };
        Ok(answer(message, was_replayed))
    }

    async fn send_test_webhook(
        &self,
        request: Request<v1::SendTestWebhookRequest>,
    ) -> Result<Response<v1::SendTestWebhookResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "send_test_webhook", request.idempotency_key.take(), &request)?;
        let test = self.admin.test(client_id, checked_id(request.endpoint_id)?, keyed.as_ref());
        let (ids, was_replayed) = match self.admin.once(keyed.as_ref(), test).await? {
            Once::Done(ids) => (Some(ids), false),
            Once::Claimed(known) => (known.resource_id.zip(outcome(&known, EVENT_ID)), true),
        };
        let (delivery_id, event_id) = ids.ok_or_else(|| corrupt("the claim of a test"))?;
        let (delivery_id, event_id) = (delivery_id.to_string(), event_id.to_string());
        Ok(answer(v1::SendTestWebhookResponse { delivery_id, event_id }, was_replayed))
    }

    async fn replay_webhook_deliveries(
        &self,
        request: Request<v1::ReplayWebhookDeliveriesRequest>,
    ) -> Result<Response<v1::ReplayWebhookDeliveriesResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "replay_webhook_deliveries", request.idempotency_key.take(), &request)?;
        let endpoint_id = checked_id(request.endpoint_id)?;
        let new = NewReplay {
            id: self.admin.env.new_id(),
            client_id,
            endpoint_id,
            since: request.since.and_then(moment),
            until: request.until.and_then(moment),
            delivered_too: request.delivered_too.unwrap_or_default(),
        };
        let begun = self.admin.once(keyed.as_ref(), self.admin.begin_replay(new, keyed.as_ref())).await?;
        let (replay, was_replayed) = match begun {
            Once::Done(replay) => (replay, false),
            Once::Claimed(known) => (self.replay_of(client_id, &known).await?, true),
        };
        let message = v1::ReplayWebhookDeliveriesResponse { replay: Some(convert::replay(&replay)) };
        Ok(answer(message, was_replayed))
    }

    async fn list_webhook_replays(
        &self,
        request: Request<v1::ListWebhookReplaysRequest>,
    ) -> Result<Response<v1::ListWebhookReplaysResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::ListWebhookReplaysRequest { endpoint_id, limit } = request.into_inner();
        let endpoint_id = endpoint_id.map(|id| checked_id(Some(id))).transpose()?;
        let replays = self.admin.replays(client_id, endpoint_id, limit.unwrap_or(DEFAULT_LIMIT).into()).await?;
        let data = replays.iter().map(convert::replay).collect();
        Ok(Response::new(v1::ListWebhookReplaysResponse { data }))
    }

    async fn get_webhook_replay(
        &self,
        request: Request<v1::GetWebhookReplayRequest>,
    ) -> Result<Response<v1::GetWebhookReplayResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let replay = self.admin.replay_of(client_id, checked_id(request.into_inner().replay_id)?).await?;
        Ok(Response::new(v1::GetWebhookReplayResponse { replay: Some(convert::replay(&replay)) }))
    }

    async fn cancel_webhook_replay(
        &self,
        request: Request<v1::CancelWebhookReplayRequest>,
    ) -> Result<Response<v1::CancelWebhookReplayResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "cancel_webhook_replay", request.idempotency_key.take(), &request)?;
        let id = checked_id(request.replay_id)?;
        let cancellation = self.admin.cancel_replay(client_id, id, keyed.as_ref());
        let cancelled = self.admin.once(keyed.as_ref(), cancellation).await?;
        let replay = convert::replay(&self.admin.replay_of(client_id, id).await?);
        let message = v1::CancelWebhookReplayResponse { replay: Some(replay) };
        Ok(answer(message, matches!(cancelled, Once::Claimed(_))))
    }

    async fn list_webhook_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Result<Response<v1::ListWebhookDeliveriesResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let request = request.into_inner();
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT);
        let page = PageRequest::new(limit, request.offset, request.cursor.is_some())?;
        let state = match request.status() {
            v1::WebhookDeliveryStatus::Unspecified => None,
            v1::WebhookDeliveryStatus::Pending => Some(DeliveryState::Pending),
            v1::WebhookDeliveryStatus::Delivered => Some(DeliveryState::Delivered),
            v1::WebhookDeliveryStatus::Failed => Some(DeliveryState::Dead),
        };
        let asked = DeliveryPage {
            client_id: Some(client_id),
            endpoint_id: request.endpoint_id.map(|id| checked_id(Some(id))).transpose()?,
            state,
            behind: match request.cursor {
                Some(cursor) => Some(self.admin.place(client_id, checked_id(Some(cursor))?).await?),
                None => None,
            },
            limit: page.rows(),
            offset: page.offset.into(),
        };
        let (mut data, total) = self.admin.deliveries(asked).await?;
        let pagination = Some(page.end(&mut data, total, |delivery| &delivery.id));
        Ok(Response::new(v1::ListWebhookDeliveriesResponse { data, pagination }))
    }

    async fn get_webhook_delivery(
        &self,
        request: Request<v1::GetWebhookDeliveryRequest>,
    ) -> Result<Response<v1::GetWebhookDeliveryResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let delivery = self.admin.delivery(client_id, checked_id(request.into_inner().delivery_id)?).await?;
        Ok(Response::new(v1::GetWebhookDeliveryResponse { delivery: Some(delivery) }))
    }

    async fn replay_webhook_delivery(
        &self,
        request: Request<v1::ReplayWebhookDeliveryRequest>,
    ) -> Result<Response<v1::ReplayWebhookDeliveryResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut request = request.into_inner();
        let keyed = self.keyed(client_id, "replay_webhook_delivery", request.idempotency_key.take(), &request)?;
        let id = checked_id(request.delivery_id)?;
        let replaying = self.admin.replay_one(client_id, id, keyed.as_ref());
        let replayed = self.admin.once(keyed.as_ref(), replaying).await?;
        let delivery = Some(self.admin.delivery(client_id, id).await?);
        Ok(answer(v1::ReplayWebhookDeliveryResponse { delivery }, matches!(replayed, Once::Claimed(_))))
    }
}

impl Webhooks {
    /// The endpoint with what waits for it.
    async fn shown(&self, endpoint: &EndpointRecord) -> Result<v1::WebhookEndpoint, Status> {
        let pending = self.admin.pending(endpoint.client_id).await?;
        self.admin.shown(endpoint, pending.get(&endpoint.id).copied().unwrap_or_default())
    }

    /// The endpoint that a call has made or changed, and whether an earlier one did.
    async fn endpoint_of(
        &self,
        client_id: Uuid,
        made: Once<EndpointRecord>,
    ) -> Result<(Option<v1::WebhookEndpoint>, bool), Status> {
        let (endpoint, was_replayed) = match made {
            Once::Done(endpoint) => (endpoint, false),
            Once::Claimed(known) => {
                let id = known.resource_id.ok_or_else(|| corrupt("a claim without its endpoint"))?;
                (self.admin.endpoint(client_id, id).await?, true)
            }
        };
        Ok((Some(self.shown(&endpoint).await?), was_replayed))
    }

    /// The replay that an earlier request began.
    async fn replay_of(&self, client_id: Uuid, known: &IdempotencyRecord) -> Result<ReplayRecord, Status> {
        let id = known.resource_id.ok_or_else(|| corrupt("a claim without its replay"))?;
        self.admin.replay_of(client_id, id).await
    }

    /// The request under its key, if it has one.
    fn keyed<M: Message>(
        &self,
        client_id: Uuid,
        operation: &'static str,
        key: Option<String>,
        message: &M,
    ) -> Result<Option<Keyed>, Status> {
        Keyed::of(&self.admin.fingerprints, client_id, operation, key, message)
    }

    /// The secret of the request, or one that is made for it: for a request under a key the same each time.
    fn given_or_made(&self, secret: Option<String>, keyed: Option<&Keyed>) -> EndpointSecret {
        match (secret, keyed) {
            (Some(secret), _) => EndpointSecret::new(secret),
            (None, Some(keyed)) => EndpointSecret::of_bytes(&keyed.derive(&self.admin.fingerprints)),
            (None, None) => EndpointSecret::make(self.admin.env.as_ref()),
        }
    }
}

/// A value of the outcome that an earlier request has left.
fn outcome<T: DeserializeOwned>(known: &IdempotencyRecord, name: &str) -> Option<T> {
    serde_json::from_value(known.outcome.as_ref()?.get(name)?.clone()).ok()
}

fn kinds(filter: v1::WebhookEventFilter) -> Vec<String> {
    filter.types().map(|kind| kind.json_name().to_owned()).collect()
}

fn moment(timestamp: prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}
