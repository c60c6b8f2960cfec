//! The webhooks service: where a client is told what happens, and what became of each message.

mod desk;
mod show;

use chrono::{DateTime, Utc};
use kira_gateway::error::{self, ErrorReason};
use tonic::{Request, Response, Status};

pub use self::desk::WebhookDesk;
use super::request::{caller, checked_id};
use crate::contract::v1;
use crate::contract::v1::webhooks_service_server::WebhooksService;
use crate::store::{DEAD, DELIVERED, DeliveryPage, EndpointChange, PENDING, Replay};
use crate::webhook::signature::EndpointSecret;

/// How many deliveries a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 10;
/// For how long, in seconds, the secret before signs beside the new one where the caller does not say.
const DEFAULT_OVERLAP: u32 = 86_400;

/// The desk as a service of the contract.
pub struct Webhooks {
    /// Where the work is done.
    pub desk: WebhookDesk,
}

#[tonic::async_trait]
impl WebhooksService for Webhooks {
    async fn register_webhook(
        &self,
        request: Request<v1::RegisterWebhookRequest>,
    ) -> Result<Response<v1::RegisterWebhookResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::RegisterWebhookRequest { client_uuid, webhook_url, secret } = request.into_inner();
        if checked_id(client_uuid)? != client_id {
            return Err(error::because(ErrorReason::Forbidden));
        }
        let (url, secret) = (webhook_url.unwrap_or_default(), EndpointSecret::new(secret.unwrap_or_default()));
        self.desk.register(client_id, url, &secret).await?;
        Ok(Response::new(v1::RegisterWebhookResponse { message: "Webhook registered successfully".to_owned() }))
    }

    async fn create_webhook_endpoint(
        &self,
        request: Request<v1::CreateWebhookEndpointRequest>,
    ) -> Result<Response<v1::CreateWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::CreateWebhookEndpointRequest { url, secret, events, ordered } = request.into_inner();
        let secret = self.given_or_made(secret);
        let events = events.map(kinds).unwrap_or_default();
        let url = url.unwrap_or_default();
        let endpoint = self.desk.create(client_id, url, &secret, events, ordered.unwrap_or_default()).await?;
        let endpoint = Some(show::endpoint(&endpoint, self.desk.now()));
        Ok(Response::new(v1::CreateWebhookEndpointResponse { endpoint, secret: secret.expose().to_owned() }))
    }

    async fn list_webhook_endpoints(
        &self,
        request: Request<v1::ListWebhookEndpointsRequest>,
    ) -> Result<Response<v1::ListWebhookEndpointsResponse>, Status> {
        let endpoints = self.desk.endpoints(Some(caller(&request)?.client_id)).await?;
        let now = self.desk.now();
        let data = endpoints.iter().map(|endpoint| show::endpoint(endpoint, now)).collect();
        Ok(Response::new(v1::ListWebhookEndpointsResponse { data }))
    }

    async fn get_webhook_endpoint(
        &self,
        request: Request<v1::GetWebhookEndpointRequest>,
    ) -> Result<Response<v1::GetWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let id = checked_id(request.into_inner().endpoint_id)?;
        let endpoint = self.desk.endpoint(client_id, id).await?;
        let endpoint = Some(show::endpoint(&endpoint, self.desk.now()));
        Ok(Response::new(v1::GetWebhookEndpointResponse { endpoint }))
    }

    async fn update_webhook_endpoint(
        &self,
        request: Request<v1::UpdateWebhookEndpointRequest>,
    ) -> Result<Response<v1::UpdateWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::UpdateWebhookEndpointRequest { endpoint_id, url, events, ordered, enabled } = request.into_inner();
        let change = EndpointChange { url, events: events.map(kinds), ordered, enabled, secret: None };
        let endpoint = self.desk.change(client_id, checked_id(endpoint_id)?, change).await?;
        let endpoint = Some(show::endpoint(&endpoint, self.desk.now()));
        Ok(Response::new(v1::UpdateWebhookEndpointResponse { endpoint }))
    }

    async fn delete_webhook_endpoint(
        &self,
        request: Request<v1::DeleteWebhookEndpointRequest>,
    ) -> Result<Response<v1::DeleteWebhookEndpointResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        self.desk.delete(client_id, checked_id(request.into_inner().endpoint_id)?).await?;
        Ok(Response::new(v1::DeleteWebhookEndpointResponse { message: "Webhook endpoint deleted".to_owned() }))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<v1::RotateWebhookSecretRequest>,
    ) -> Result<Response<v1::RotateWebhookSecretResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::RotateWebhookSecretRequest { endpoint_id, secret, overlap_seconds } = request.into_inner();
        let secret = self.given_or_made(secret);
        let overlap = overlap_seconds.unwrap_or(DEFAULT_OVERLAP);
        let endpoint = self.desk.rotate(client_id, checked_id(endpoint_id)?, &secret, overlap).await?;
        let endpoint = Some(show::endpoint(&endpoint, self.desk.now()));
        Ok(Response::new(v1::RotateWebhookSecretResponse { endpoint, secret: secret.expose().to_owned() }))
    }

    async fn send_test_webhook(
        &self,
        request: Request<v1::SendTestWebhookRequest>,
    ) -> Result<Response<v1::SendTestWebhookResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let (delivery_id, event_id) = self.desk.test(client_id, checked_id(request.into_inner().endpoint_id)?).await?;
        let (delivery_id, event_id) = (delivery_id.to_string(), event_id.to_string());
        Ok(Response::new(v1::SendTestWebhookResponse { delivery_id, event_id }))
    }

    async fn replay_webhook_deliveries(
        &self,
        request: Request<v1::ReplayWebhookDeliveriesRequest>,
    ) -> Result<Response<v1::ReplayWebhookDeliveriesResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let request = request.into_inner();
        let endpoint_id = checked_id(request.endpoint_id)?;
        let replay = Replay {
            client_id: Some(client_id),
            endpoint_id: Some(endpoint_id),
            since: request.since.and_then(moment),
            until: request.until.and_then(moment),
            failed_only: !request.delivered_too.unwrap_or_default(),
            delivery_id: None,
        };
        let replayed = self.desk.replay(&replay).await?;
        Ok(Response::new(v1::ReplayWebhookDeliveriesResponse { replayed }))
    }

    async fn list_webhook_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Result<Response<v1::ListWebhookDeliveriesResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let request = request.into_inner();
        let (limit, offset) = (request.limit.unwrap_or(DEFAULT_LIMIT), request.offset.unwrap_or_default());
        let state = match request.status() {
            v1::WebhookDeliveryStatus::Unspecified => None,
            v1::WebhookDeliveryStatus::Pending => Some(PENDING),
            v1::WebhookDeliveryStatus::Delivered => Some(DELIVERED),
            v1::WebhookDeliveryStatus::Failed => Some(DEAD),
        };
        let page = DeliveryPage {
            client_id: Some(client_id),
            endpoint_id: request.endpoint_id.map(|id| checked_id(Some(id))).transpose()?,
            state: state.map(str::to_owned),
            limit: limit.into(),
            offset: offset.into(),
        };
        let (data, total) = self.desk.deliveries(page).await?;
        let has_more = u64::from(offset) + (data.len() as u64) < total;
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        let pagination = Some(v1::Pagination { total, limit, offset, has_more });
        Ok(Response::new(v1::ListWebhookDeliveriesResponse { data, pagination }))
    }

    async fn get_webhook_delivery(
        &self,
        request: Request<v1::GetWebhookDeliveryRequest>,
    ) -> Result<Response<v1::GetWebhookDeliveryResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let delivery = self.desk.delivery(client_id, checked_id(request.into_inner().delivery_id)?).await?;
        Ok(Response::new(v1::GetWebhookDeliveryResponse { delivery: Some(delivery) }))
    }

    async fn replay_webhook_delivery(
        &self,
        request: Request<v1::ReplayWebhookDeliveryRequest>,
    ) -> Result<Response<v1::ReplayWebhookDeliveryResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let id = checked_id(request.into_inner().delivery_id)?;
        let one = Replay { client_id: Some(client_id), delivery_id: Some(id), ..Replay::default() };
        self.desk.replay(&one).await?;
        let delivery = self.desk.delivery(client_id, id).await?;
        Ok(Response::new(v1::ReplayWebhookDeliveryResponse { delivery: Some(delivery) }))
    }
}

impl Webhooks {
    fn given_or_made(&self, secret: Option<String>) -> EndpointSecret {
        secret.map_or_else(|| EndpointSecret::make(self.desk.ambient.as_ref()), EndpointSecret::new)
    }
}

fn kinds(filter: v1::WebhookEventFilter) -> Vec<String> {
    filter.types().map(|kind| kind.json_name().to_owned()).collect()
}

fn moment(timestamp: prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}
