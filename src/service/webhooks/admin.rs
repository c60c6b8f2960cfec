//! Managing webhooks, for the contract's calls and the command line.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use kira_gateway::error::{self, ErrorReason};
use kira_gateway::problem::{Path, Problems};
use serde_json::json;
use tonic::Status;
use url::Url;
use uuid::Uuid;

use super::convert;
use crate::contract::v1;
use crate::domain::event::EventKind;
use crate::env::SharedEnv;
use crate::service::failure::of_store;
use crate::service::idempotency::Keyed;
use crate::service::request::unknown_cursor;
use crate::store::{
    Alteration, ClientClaim, DeliveryPage, DeliveryPlace, DeliveryRecord, EndpointChange, EndpointRecord, NewDelivery,
    NewEndpoint, NewReplay, Once, Registration, Replay, ReplayRecord, Store,
};
use crate::telemetry;
use crate::vault::{KeyedHash, Vault};
use crate::webhook::guard::AddressGuard;
use crate::webhook::signature::EndpointSecret;
use crate::webhook::{message, sealing};

/// Endpoints that a client may have.
const MOST_ENDPOINTS: usize = 20;
/// Replays of a client that go on at a time.
const MOST_REPLAYS: u64 = 10;
/// How far the deliveries that wait for an endpoint are counted.
const MOST_PENDING: u32 = 1_000;
/// For how long the secret before signs beside the one that a repeated registration brings.
const REGISTRATION_OVERLAP: TimeDelta = TimeDelta::days(1);

/// The key of a test's event in the outcome of its claim.
pub(super) const EVENT_ID: &str = "event_id";

/// What a client wishes of an endpoint besides its URL and its secret.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The kinds of events to send; empty: all.
    pub events: Vec<String>,
    /// Whether the events of a user arrive one after another.
    pub ordered: bool,
    /// Whether it is sent to.
    pub enabled: bool,
}

/// Where webhooks are managed.
#[derive(Clone)]
pub struct WebhookAdmin {
    /// The database.
    pub store: Store,
    /// Seals secrets and bodies.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// Where webhooks may go.
    pub guard: AddressGuard,
    /// The keyed hash of idempotency fingerprints.
    pub fingerprints: KeyedHash,
}

impl WebhookAdmin {
    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.env.now()
    }

    /// Makes a change under its key, if it has one: `change`, or what an earlier request with the key has done.
    pub(super) async fn once<T>(
        &self,
        keyed: Option<&Keyed>,
        change: impl Future<Output = Result<Once<T>, Status>>,
    ) -> Result<Once<T>, Status> {
        let Some(keyed) = keyed else { return change.await };
        let known = match self.store.find_claim(keyed.scope()).await.map_err(of_store)? {
            Some(known) => known,
            None => match change.await? {
                Once::Claimed(known) => known,
                done @ Once::Done(_) => return Ok(done),
            },
        };
        keyed.check(&self.fingerprints, &known)?;
        Ok(Once::Claimed(known))
    }

    /// The claim of a change of `resource_id`.
    fn claim(&self, keyed: Option<&Keyed>, resource_id: Uuid) -> Option<ClientClaim> {
        keyed.map(|keyed| keyed.claim(&self.fingerprints, Some(resource_id), None))
    }

    /// Registers a URL, or gives a registered one another secret.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a URL that nothing may be sent to, or too many endpoints; UNAVAILABLE without the database.
    pub async fn register(
        &self,
        client_id: Uuid,
        url: String,
        secret: &EndpointSecret,
        keyed: Option<&Keyed>,
    ) -> Result<Once<()>, Status> {
        self.judge("webhook_url", &url)?;
        let wishes = Wishes { events: Vec::new(), ordered: false, enabled: true };
        let made = match self.add(client_id, &url, secret, wishes, keyed).await? {
            Once::Done(made) => made,
            Once::Claimed(known) => return Ok(Once::Claimed(known)),
        };
        match made {
            Registration::Made(_) => Ok(Once::Done(())),
            Registration::TooMany => Err(too_many("webhook_url")),
            Registration::Exists(endpoint) => {
                // Registering an endpoint also enables it.
                let sealed = sealing::seal_secret(&self.vault, endpoint.id, secret);
                let until = self.now() + REGISTRATION_OVERLAP;
                let change =
                    EndpointChange { secret: Some((sealed, until)), enabled: Some(true), ..EndpointChange::default() };
                Ok(match self.change(client_id, endpoint.id, None, change, keyed).await? {
                    Once::Done(_) => Once::Done(()),
                    Once::Claimed(known) => Once::Claimed(known),
                })
            }
        }
    }

    /// Makes an endpoint.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a URL that nothing may be sent to or that has an endpoint, or too many endpoints;
    /// UNAVAILABLE without the database.
    pub(super) async fn create(
        &self,
        client_id: Uuid,
        url: String,
        secret: &EndpointSecret,
        wishes: Wishes,
        keyed: Option<&Keyed>,
    ) -> Result<Once<EndpointRecord>, Status> {
        self.judge("url", &url)?;
        match self.add(client_id, &url, secret, wishes, keyed).await? {
            Once::Done(Registration::Made(endpoint)) => Ok(Once::Done(endpoint)),
            Once::Done(Registration::TooMany) => Err(too_many("url")),
            Once::Done(Registration::Exists(_)) => Err(url_taken()),
            Once::Claimed(known) => Ok(Once::Claimed(known)),
        }
    }

    /// The endpoints of a client, or of all.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn endpoints(&self, client_id: Option<Uuid>) -> Result<Vec<EndpointRecord>, Status> {
        self.store.list_endpoints(client_id).await.map_err(of_store)
    }

    /// The deliveries that each endpoint of a client has not taken yet, by the endpoint; counted up to 1,000 each.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn pending(&self, client_id: Uuid) -> Result<HashMap<Uuid, u32>, Status> {
        self.store.pending_deliveries(client_id, MOST_PENDING).await.map_err(of_store)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn endpoint(&self, client_id: Uuid, id: Uuid) -> Result<EndpointRecord, Status> {
        let found = self.store.find_endpoint(Some(client_id), id).await.map_err(of_store)?;
        found.ok_or_else(|| no_endpoint(id))
    }

    /// An endpoint as its client is shown it; `pending` is the number of deliveries that wait for it.
    ///
    /// # Errors
    /// INTERNAL where its URL does not open.
    pub fn shown(&self, endpoint: &EndpointRecord, pending: u32) -> Result<v1::WebhookEndpoint, Status> {
        convert::endpoint(&self.vault, endpoint, pending, self.now())
    }

    /// Changes an endpoint; `url` is where it is sent to from now on, if that changes.
    ///
    /// # Errors
    /// NOT_FOUND; `INVALID_REQUEST` for a URL that nothing may be sent to or that has an endpoint; UNAVAILABLE without
    /// the database.
    pub(super) async fn change(
        &self,
        client_id: Uuid,
        id: Uuid,
        url: Option<String>,
        mut change: EndpointChange,
        keyed: Option<&Keyed>,
    ) -> Result<Once<EndpointRecord>, Status> {
        if let Some(url) = &url {
            self.judge("url", url)?;
            change.sealed_url = Some(sealing::seal_url(&self.vault, client_id, id, url));
        }
        let url = url.unwrap_or_default();
        let is_same_url = |other: &EndpointRecord| self.has_url(other, &url);
        let claim = self.claim(keyed, id);
        let changed = self.store.change_endpoint(client_id, id, change, &is_same_url, claim, self.now());
        match changed.await.map_err(of_store)? {
            Once::Done(Alteration::Made(endpoint)) => Ok(Once::Done(*endpoint)),
            Once::Done(Alteration::UrlTaken) => Err(url_taken()),
            Once::Done(Alteration::NoEndpoint) => Err(no_endpoint(id)),
            Once::Claimed(known) => Ok(Once::Claimed(known)),
        }
    }

    /// Gives an endpoint another secret; the one before signs beside it for `overlap` seconds.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub(super) async fn rotate(
        &self,
        client_id: Uuid,
        id: Uuid,
        secret: &EndpointSecret,
        overlap: u32,
        keyed: Option<&Keyed>,
    ) -> Result<Once<EndpointRecord>, Status> {
        let sealed = sealing::seal_secret(&self.vault, id, secret);
        let until = self.now() + TimeDelta::seconds(overlap.into());
        let change = EndpointChange { secret: Some((sealed, until)), ..EndpointChange::default() };
        self.change(client_id, id, None, change, keyed).await
    }

    /// Removes an endpoint.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub(super) async fn delete(&self, client_id: Uuid, id: Uuid, keyed: Option<&Keyed>) -> Result<Once<()>, Status> {
        let deleted = self.store.delete_endpoint(client_id, id, self.claim(keyed, id), self.now());
        match deleted.await.map_err(of_store)? {
            Once::Done(true) => Ok(Once::Done(())),
            Once::Done(false) => Err(no_endpoint(id)),
            Once::Claimed(known) => Ok(Once::Claimed(known)),
        }
    }

    /// Sends a test; the ids of its delivery and its event.
    ///
    /// # Errors
    /// NOT_FOUND; `INVALID_STATE` for an endpoint that is disabled; UNAVAILABLE without the database.
    pub async fn test(
        &self,
        client_id: Uuid,
        endpoint_id: Uuid,
        keyed: Option<&Keyed>,
    ) -> Result<Once<(Uuid, Uuid)>, Status> {
        let endpoint = self.endpoint(client_id, endpoint_id).await?;
        if endpoint.disabled.is_some() {
            return Err(error::status(ErrorReason::InvalidState, "The endpoint is disabled"));
        }
        let (id, event_id, now) = (self.env.new_id(), self.env.new_id(), self.now());
        let delivery = NewDelivery {
            id,
            event_id,
            endpoint_id,
            client_id,
            user_id: None,
            kind: EventKind::WebhookTest.into_str().to_owned(),
            sequence: 0,
            sealed_body: sealing::seal_body(&self.vault, id, &message::of_test(event_id, endpoint_id, now)),
            trace_context: telemetry::trace_context(),
        };
        let outcome = json!({ EVENT_ID: event_id });
        let claim = keyed.map(|keyed| keyed.claim(&self.fingerprints, Some(id), Some(outcome)));
        match self.store.add_delivery(delivery, claim, now).await.map_err(of_store)? {
            Once::Done(()) => Ok(Once::Done((id, event_id))),
            Once::Claimed(known) => Ok(Once::Claimed(known)),
        }
    }

    /// Deliveries, newest first, and how many there are in all.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn deliveries(&self, page: DeliveryPage) -> Result<(Vec<v1::WebhookDelivery>, u64), Status> {
        let (found, total) = self.store.list_deliveries(page).await.map_err(of_store)?;
        let shown =
            found.into_iter().map(|delivery| convert::delivery(&self.vault, delivery)).collect::<Result<_, _>>()?;
        Ok((shown, total))
    }

    /// The place of a delivery in the list of deliveries of its client.
    ///
    /// # Errors
    /// INVALID_REQUEST where the client has no such delivery, or UNAVAILABLE without the database.
    pub(super) async fn place(&self, client_id: Uuid, cursor: Uuid) -> Result<DeliveryPlace, Status> {
        let found = self.store.delivery_place(client_id, cursor).await.map_err(of_store)?;
        found.ok_or_else(|| unknown_cursor("cursor"))
    }

    /// One delivery.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn delivery(&self, client_id: Uuid, id: Uuid) -> Result<v1::WebhookDelivery, Status> {
        convert::delivery(&self.vault, self.record(Some(client_id), id).await?)
    }

    /// Begins a replay, which the senders carry out.
    ///
    /// # Errors
    /// NOT_FOUND for an endpoint that is not there; `RATE_LIMIT_EXCEEDED` where as many replays of the client go on as may;
    /// UNAVAILABLE without the database.
    pub(super) async fn begin_replay(
        &self,
        new: NewReplay,
        keyed: Option<&Keyed>,
    ) -> Result<Once<ReplayRecord>, Status> {
        self.endpoint(new.client_id, new.endpoint_id).await?;
        let added = self.store.add_replay(new, MOST_REPLAYS, self.claim(keyed, new.id), self.now());
        match added.await.map_err(of_store)? {
            Once::Done(Some(replay)) => Ok(Once::Done(replay)),
            Once::Done(None) => {
                let message = format!("At most {MOST_REPLAYS} replays at a time");
                Err(error::status(ErrorReason::RateLimitExceeded, message))
            }
            Once::Claimed(known) => Ok(Once::Claimed(known)),
        }
    }

    /// A replay.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub async fn replay_of(&self, client_id: Uuid, id: Uuid) -> Result<ReplayRecord, Status> {
        self.store.find_replay(client_id, id).await.map_err(of_store)?.ok_or_else(|| no_replay(id))
    }

    /// The replays of a client, the newest first.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn replays(
        &self,
        client_id: Uuid,
        endpoint_id: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<ReplayRecord>, Status> {
        self.store.list_replays(client_id, endpoint_id, limit).await.map_err(of_store)
    }

    /// Stops a replay, unless it has ended.
    ///
    /// # Errors
    /// NOT_FOUND, or UNAVAILABLE without the database.
    pub(super) async fn cancel_replay(
        &self,
        client_id: Uuid,
        id: Uuid,
        keyed: Option<&Keyed>,
    ) -> Result<Once<()>, Status> {
        self.replay_of(client_id, id).await?;
        self.store.cancel_replay(client_id, id, self.claim(keyed, id), self.now()).await.map_err(of_store)
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

    /// Sends one delivery again.
    ///
    /// # Errors
    /// NOT_FOUND for a delivery that is not there, or an endpoint that is no more; UNAVAILABLE without the database.
    pub(super) async fn replay_one(
        &self,
        client_id: Uuid,
        id: Uuid,
        keyed: Option<&Keyed>,
    ) -> Result<Once<()>, Status> {
        let delivery = self.record(Some(client_id), id).await?;
        self.endpoint(client_id, delivery.endpoint_id).await?;
        self.store.replay_delivery(client_id, id, self.claim(keyed, id), self.now()).await.map_err(of_store)
    }

    async fn record(&self, client_id: Option<Uuid>, id: Uuid) -> Result<DeliveryRecord, Status> {
        let found = self.store.find_delivery(client_id, id).await.map_err(of_store)?;
        found.ok_or_else(|| error::status(ErrorReason::NotFound, format!("Webhook delivery with ID {id} not found")))
    }

    async fn add(
        &self,
        client_id: Uuid,
        url: &str,
        secret: &EndpointSecret,
        Wishes { events, ordered, enabled }: Wishes,
        keyed: Option<&Keyed>,
    ) -> Result<Once<Registration>, Status> {
        let id = self.env.new_id();
        let sealed_secret = sealing::seal_secret(&self.vault, id, secret);
        let sealed_url = sealing::seal_url(&self.vault, client_id, id, url);
        let new = NewEndpoint { id, client_id, sealed_url, sealed_secret, events, ordered, enabled };
        let is_same_url = |other: &EndpointRecord| self.has_url(other, url);
        let claim = self.claim(keyed, id);
        let registered = self.store.register_endpoint(new, &is_same_url, MOST_ENDPOINTS, claim, self.now());
        registered.await.map_err(of_store)
    }

    /// Whether this is the endpoint's URL. One that does not open is no other endpoint's.
    fn has_url(&self, endpoint: &EndpointRecord, url: &str) -> bool {
        match sealing::open_url(&self.vault, endpoint) {
            Ok(opened) => *opened == url,
            Err(error) => {
                tracing::error!(%error, endpoint = %endpoint.id, "the URL of a webhook endpoint does not open");
                false
            }
        }
    }

    /// Refuses at once what would be refused at every attempt.
    fn judge(&self, field: &'static str, url: &str) -> Result<(), Status> {
        let Ok(parsed) = Url::parse(url) else { return Err(invalid(field, "invalid_string", "Invalid url")) };
        self.guard.check_url(&parsed).map_err(|refused| invalid(field, "custom", refused.to_string()))
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

fn no_replay(id: Uuid) -> Status {
    error::status(ErrorReason::NotFound, format!("Webhook replay with ID {id} not found"))
}

fn no_endpoint(id: Uuid) -> Status {
    error::status(ErrorReason::NotFound, format!("Webhook endpoint with ID {id} not found"))
}
