//! Managing webhooks, whoever asks: the contract's calls and the command line.

use chrono::{DateTime, TimeDelta, Utc};
use kira_gateway::error::{self, ErrorReason};
use kira_gateway::problem::{Path, Problems};
use tonic::Status;
use url::Url;
use uuid::Uuid;

use super::show;
use crate::ambient::SharedAmbient;
use crate::contract::v1;
use crate::service::failure::of_store;
use crate::store::{
    Alteration, DeliveryPage, DeliveryRecord, EndpointChange, EndpointRecord, NewDelivery, NewEndpoint, Registration,
    Replay, Store,
};
use crate::telemetry;
use crate::vault::Vault;
use crate::webhook::guard::Guard;
use crate::webhook::signature::EndpointSecret;
use crate::webhook::{TEST, message, sealing};

/// Endpoints that a client may have.
const MOST_ENDPOINTS: u64 = 20;
/// For how long the secret before signs beside the one that a repeated registration brings.
const REGISTRATION_OVERLAP: TimeDelta = TimeDelta::days(1);

/// Where webhooks are managed.
#[derive(Clone)]
pub struct WebhookDesk {
    /// The database.
    pub store: Store,
    /// Seals secrets and bodies.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub ambient: SharedAmbient,
    /// Where webhooks may go.
    pub guard: Guard,
}

impl WebhookDesk {
    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.ambient.now()
    }

    /// Registers a URL, or gives a registered one another secret.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a URL that nothing may be sent to, or too many endpoints; UNAVAILABLE without the database.
    pub async fn register(&self, client_id: Uuid, url: String, secret: &EndpointSecret) -> Result<(), Status> {
        self.judge("webhook_url", &url)?;
        let made = self.add(client_id, url, secret, Vec::new(), false).await?;
        match made {
            Registration::Made(_) => Ok(()),
            Registration::TooMany => Err(too_many("webhook_url")),
            Registration::Exists(endpoint) => {
                // Registering is asking to be told, so that it enables, too.
                let sealed = sealing::seal_secret(&self.vault, endpoint.id, secret);
                let until = self.now() + REGISTRATION_OVERLAP;
                let change =
                    EndpointChange { secret: Some((sealed, until)), enabled: Some(true), ..EndpointChange::default() };
                self.change(client_id, endpoint.id, change).await.map(drop)
            }
        }
    }

    /// Makes an endpoint.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a URL that nothing may be sent to or that has an endpoint, or too many endpoints;
    /// UNAVAILABLE without the database.
    pub async fn create(
        &self,
        client_id: Uuid,
        url: String,
        secret: &EndpointSecret,
        events: Vec<String>,
        ordered: bool,
    ) -> Result<EndpointRecord, Status> {
        self.judge("url", &url)?;
        match self.add(client_id, url, secret, events, ordered).await? {
            Registration::Made(endpoint) => Ok(endpoint),
            Registration::TooMany => Err(too_many("url")),
            Registration::Exists(_) => Err(url_taken()),
        }
    }

    /// The endpoints of a client, or of all.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn endpoints(&self, client_id: Option<Uuid>) -> Result<Vec<EndpointRecord>, Status> {
        self.store.list_endpoints(client_id).await.map_err(of_store)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn endpoint(&self, client_id: Uuid, id: Uuid) -> Result<EndpointRecord, Status> {
        let found = self.store.find_endpoint(Some(client_id), id).await.map_err(of_store)?;
        found.ok_or_else(|| no_endpoint(id))
    }

    /// Changes an endpoint.
    ///
    /// # Errors
    /// NOT_FOUND; `INVALID_REQUEST` for a URL that nothing may be sent to or that has an endpoint; UNAVAILABLE without
    /// the database.
    pub async fn change(&self, client_id: Uuid, id: Uuid, change: EndpointChange) -> Result<EndpointRecord, Status> {
        if let Some(url) = &change.url {
            self.judge("url", url)?;
        }
        let changed = self.store.change_endpoint(client_id, id, change, self.now()).await.map_err(of_store)?;
        match changed {
            Alteration::Made(endpoint) => Ok(*endpoint),
            Alteration::UrlTaken => Err(url_taken()),
            Alteration::NoEndpoint => Err(no_endpoint(id)),
        }
    }

    /// Gives an endpoint another secret; the one before signs beside it for `overlap` seconds.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn rotate(
        &self,
        client_id: Uuid,
        id: Uuid,
        secret: &EndpointSecret,
        overlap: u32,
    ) -> Result<EndpointRecord, Status> {
        let sealed = sealing::seal_secret(&self.vault, id, secret);
        let until = self.now() + TimeDelta::seconds(overlap.into());
        let change = EndpointChange { secret: Some((sealed, until)), ..EndpointChange::default() };
        self.change(client_id, id, change).await
    }

    /// Removes an endpoint.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn delete(&self, client_id: Uuid, id: Uuid) -> Result<(), Status> {
        let deleted = self.store.delete_endpoint(client_id, id, self.now()).await.map_err(of_store)?;
        if deleted { Ok(()) } else { Err(no_endpoint(id)) }
    }

    /// Sends a test; the ids of its delivery and its event.
    ///
    /// # Errors
    /// NOT_FOUND; `INVALID_STATE` for an endpoint that is disabled; UNAVAILABLE without the database.
    pub async fn test(&self, client_id: Uuid, endpoint_id: Uuid) -> Result<(Uuid, Uuid), Status> {
        let endpoint = self.endpoint(client_id, endpoint_id).await?;
        if endpoint.disabled.is_some() {
            return Err(error::status(ErrorReason::InvalidState, "The endpoint is disabled"));
        }
        let (id, event_id, now) = (self.ambient.new_id(), self.ambient.new_id(), self.now());
        let delivery = NewDelivery {
            id,
            event_id,
            endpoint_id,
            client_id,
            user_id: None,
            kind: TEST.to_owned(),
            sequence: 0,
            sealed_body: sealing::seal_body(&self.vault, id, &message::of_test(event_id, endpoint_id, now)),
            trace_context: telemetry::trace_context(),
        };
        self.store.add_delivery(delivery, now).await.map_err(of_store)?;
        Ok((id, event_id))
    }

    /// Deliveries, newest first, and how many there are in all.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn deliveries(&self, page: DeliveryPage) -> Result<(Vec<v1::WebhookDelivery>, u64), Status> {
        let (found, total) = self.store.list_deliveries(page).await.map_err(of_store)?;
        let shown =
            found.into_iter().map(|delivery| show::delivery(&self.vault, delivery)).collect::<Result<_, _>>()?;
        Ok((shown, total))
    }

    /// One delivery.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn delivery(&self, client_id: Uuid, id: Uuid) -> Result<v1::WebhookDelivery, Status> {
        show::delivery(&self.vault, self.record(Some(client_id), id).await?)
    }

    /// Sends again; how many. What is still on its way is not among them.
    ///
    /// # Errors
    /// NOT_FOUND for a delivery that is not there, or an endpoint that is not or no more; UNAVAILABLE without the database.
    pub async fn replay(&self, replay: &Replay) -> Result<u64, Status> {
        let of_delivery = match replay.delivery_id {
            Some(id) => Some(self.record(replay.client_id, id).await?.endpoint_id),
            None => None,
        };
        if let Some(id) = replay.endpoint_id.or(of_delivery) {
            let found = self.store.find_endpoint(replay.client_id, id).await.map_err(of_store)?;
            found.ok_or_else(|| no_endpoint(id))?;
        }
        self.store.replay_deliveries(replay, self.now()).await.map_err(of_store)
    }

    async fn record(&self, client_id: Option<Uuid>, id: Uuid) -> Result<DeliveryRecord, Status> {
        let found = self.store.find_delivery(client_id, id).await.map_err(of_store)?;
        found.ok_or_else(|| error::status(ErrorReason::NotFound, format!("Webhook delivery with ID {id} not found")))
    }

    async fn add(
        &self,
        client_id: Uuid,
        url: String,
        secret: &EndpointSecret,
        events: Vec<String>,
        ordered: bool,
    ) -> Result<Registration, Status> {
        let id = self.ambient.new_id();
        let sealed_secret = sealing::seal_secret(&self.vault, id, secret);
        let new = NewEndpoint { id, client_id, url, sealed_secret, events, ordered };
        self.store.register_endpoint(new, MOST_ENDPOINTS, self.now()).await.map_err(of_store)
    }

    /// Refuses at once what would be refused at every attempt.
    fn judge(&self, field: &'static str, url: &str) -> Result<(), Status> {
        let Ok(parsed) = Url::parse(url) else { return Err(invalid(field, "invalid_string", "Invalid url")) };
        self.guard.judge_url(&parsed).map_err(|refused| invalid(field, "custom", refused.to_string()))
    }
}

fn url_taken() -> Status {
    invalid("url", "custom", "An endpoint with this URL exists already")
}

fn too_many(field: &'static str) -> Status {
    invalid(field, "too_big", format!("A client must have at most {MOST_ENDPOINTS} webhook endpoints"))
}

fn invalid(field: &'static str, code: &'static str, message: impl Into<String>) -> Status {
    let mut problems = Problems::default();
    problems.push(Path::key(0, field), code, message.into());
    error::invalid_request(problems)
}

fn no_endpoint(id: Uuid) -> Status {
    error::status(ErrorReason::NotFound, format!("Webhook endpoint with ID {id} not found"))
}
