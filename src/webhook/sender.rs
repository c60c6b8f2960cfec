//! The sender: relays events, claims deliveries, sends them, settles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio_util::sync::CancellationToken;
use tracing::Span;
use zeroize::Zeroizing;

use super::client::{Client, Reply};
use super::in_flight::InFlight;
use super::pace::Paces;
use super::schedule::{Schedule, retry_after};
use super::signature::{BODY_SIGNATURE, EndpointSecret};
use super::{message, sealing};
use crate::domain::event::EventKind;
use crate::env::SharedEnv;
use crate::signing;
use crate::store::{
    AttemptReport, ClaimedDelivery, DeliveryOutcome, DeliverySettlement, EndpointRecord, FailurePolicy, NewDelivery,
    Store, StoreError, with_step_timeout,
};
use crate::telemetry::{self, Metrics};
use crate::vault::{Vault, VaultError};

/// Maximum events that one transaction relays.
const RELAYED: u64 = 128;
/// A lease is this much longer than the longest attempt: time to settle. After a crash, deliveries in flight wait until
/// their leases end.
const LEASE_MARGIN: Duration = Duration::from_secs(15);
/// How often an idle sender polls for work that other processes have created, or that has become due.
const POLL: Duration = Duration::from_millis(250);
/// An endpoint that fails this often in a row is paused, and then tried with one delivery at a time, so that its other
/// deliveries keep their attempts. One that only fails for five days is disabled.
pub(super) const FAILURE_POLICY: FailurePolicy = FailurePolicy {
    pause_after: 5,
    first_pause: TimeDelta::seconds(10),
    last_pause: TimeDelta::minutes(10),
    disable_after: TimeDelta::days(5),
};

/// The dependencies of a sender.
#[derive(Clone)]
pub struct SenderDeps {
    /// The database, which also notifies of new events.
    pub store: Store,
    /// Opens secrets and bodies.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// Sends.
    pub client: Client,
    /// When a failed delivery is tried again.
    pub schedule: Schedule,
    /// Metrics.
    pub metrics: Metrics,
}

/// Sends webhooks. Any number of them, in any number of processes, share the work.
pub struct Sender {
    parts: SenderDeps,
    running: AtomicBool,
    sending: AtomicUsize,
    paces: Arc<Mutex<Paces>>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The health of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderHealth {
    /// Whether the sender runs in this process.
    pub running: bool,
    /// Deliveries in flight in this process.
    pub sending: usize,
}

impl Sender {
    /// A sender that does nothing by itself before [`Sender::run`].
    #[must_use]
    pub fn new(parts: SenderDeps) -> Arc<Self> {
        Arc::new(Self { parts, running: AtomicBool::new(false), sending: AtomicUsize::new(0), paces: Arc::default() })
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> SenderHealth {
        SenderHealth { running: self.running.load(Ordering::Relaxed), sending: self.sending.load(Ordering::Relaxed) }
    }

    /// Runs until `stop` is cancelled, then releases the deliveries that are not done.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.running.store(true, Ordering::Relaxed);
        let mut in_flight = InFlight::new(Arc::clone(&self.paces));
        while !stop.is_cancelled() {
            let found = with_step_timeout(self.find_work(&mut in_flight)).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot claim webhooks");
                false
            });
            self.sending.store(in_flight.len(), Ordering::Relaxed);
            let settlements = tokio::select! {
                () = stop.cancelled() => Vec::new(),
                settlements = in_flight.ready(), if in_flight.len() > 0 => settlements,
                () = self.parts.store.deliveries_wanted(), if !found => Vec::new(),
                () = tokio::time::sleep(POLL), if !found => Vec::new(),
                () = std::future::ready(()), if found => Vec::new(),
            };
            self.settle_or_log(settlements).await;
        }
        self.settle_or_log(in_flight.abort()).await;
        self.sending.store(0, Ordering::Relaxed);
        self.running.store(false, Ordering::Relaxed);
    }

    /// One round: relays events, goes on with a replay, claims due deliveries, sends and settles them. Returns the number
    /// of events, batches of replays and deliveries.
    ///
    /// # Errors
    /// The database.
    pub async fn run_once(self: &Arc<Self>) -> Result<usize, StoreError> {
        let queued = self.queue().await?;
        let mut in_flight = InFlight::new(Arc::clone(&self.paces));
        let claimed = self.claim(&mut in_flight).await?;
        while in_flight.len() > 0 {
            let settlements = in_flight.ready().await;
            self.settle(settlements).await?;
        }
        Ok(queued + claimed)
    }

    /// Rounds until nothing is due. Returns the number of events and deliveries.
    ///
    /// # Errors
    /// The database.
    pub async fn drain(self: &Arc<Self>) -> Result<usize, StoreError> {
        let mut total = 0;
        loop {
            match self.run_once().await? {
                0 => return Ok(total),
                count => total += count,
            }
        }
    }

    /// Whether there is likely to be more work.
    async fn find_work(self: &Arc<Self>, in_flight: &mut InFlight) -> Result<bool, StoreError> {
        let queued = self.queue().await?;
        let claimed = self.claim(in_flight).await?;
        Ok(queued > 0 || claimed > 0)
    }

    /// Queues deliveries: of new events, and of a batch of a replay.
    async fn queue(&self) -> Result<usize, StoreError> {
        let SenderDeps { store, vault, env, .. } = &self.parts;
        let seal = |event: &_, delivery_id| sealing::sealed_body(vault, event, delivery_id);
        let relayed = store.relay_events(env.as_ref(), RELAYED, &seal).await?;
        let replayed = store.continue_replay(env.as_ref()).await?;
        Ok(relayed + usize::from(replayed))
    }

    async fn claim(self: &Arc<Self>, in_flight: &mut InFlight) -> Result<usize, StoreError> {
        let admission = in_flight.admission();
        if admission.is_closed() {
            return Ok(0);
        }
        let SenderDeps { store, env, .. } = &self.parts;
        let claimed = store.claim_deliveries(env.as_ref(), &admission, self.lease()).await?;
        let count = claimed.len();
        claimed.into_iter().for_each(|claimed| in_flight.start(self, claimed));
        Ok(count)
    }

    /// How long ago a delivery was created.
    pub(super) fn age_of(&self, claimed: &ClaimedDelivery) -> TimeDelta {
        self.parts.env.now() - claimed.created_at
    }

    /// The lease of a delivery.
    fn lease(&self) -> TimeDelta {
        // The timeout is bounded by the configuration, far below what does not fit.
        TimeDelta::from_std(self.parts.client.longest() + LEASE_MARGIN).unwrap_or(TimeDelta::MAX)
    }

    async fn settle_or_log(&self, settlements: Vec<DeliverySettlement>) {
        let count = settlements.len();
        match with_step_timeout(self.settle(settlements)).await {
            Ok(held) if held < count => {
                tracing::warn!(lost = count - held, "leases of webhooks ended before they were settled")
            }
            Ok(_) => {}
            // When the leases end, the deliveries are sent again; receivers recognise them by the event's id.
            Err(error) => tracing::warn!(%error, count, "cannot settle webhooks"),
        }
    }

    async fn settle(&self, settlements: Vec<DeliverySettlement>) -> Result<usize, StoreError> {
        let SenderDeps { store, env, .. } = &self.parts;
        let announce = |disabled: &EndpointRecord, other: &EndpointRecord| self.announce(disabled, other);
        let settled = store.settle_deliveries(env.as_ref(), settlements, &FAILURE_POLICY, &announce).await?;
        for EndpointRecord { id, client_id, disabled, .. } in &settled.disabled {
            let reason = disabled.as_ref().map(|(_, reason)| reason.code());
            tracing::warn!(endpoint = %id, client = %client_id, reason, "webhook endpoint disabled");
            self.parts.metrics.endpoint_disabled();
        }
        Ok(settled.held)
    }

    /// The delivery that notifies one endpoint that another is disabled.
    fn announce(&self, disabled: &EndpointRecord, other: &EndpointRecord) -> NewDelivery {
        let SenderDeps { vault, env, .. } = &self.parts;
        let (id, event_id) = (env.new_id(), env.new_id());
        NewDelivery {
            id,
            event_id,
            endpoint_id: other.id,
            client_id: other.client_id,
            user_id: None,
            kind: EventKind::EndpointDisabled.into_str().to_owned(),
            sequence: 0,
            sealed_body: sealing::seal_body(vault, id, &message::of_disabled(event_id, disabled, env.now())),
            trace_context: None,
        }
    }

    /// Makes one attempt.
    pub(super) async fn send(&self, claimed: ClaimedDelivery) -> (DeliveryOutcome, Option<AttemptReport>) {
        let SenderDeps { vault, env, client, schedule, .. } = &self.parts;
        let started_at = env.now();
        let reply = match self.signed(&claimed) {
            Ok((url, mut headers, body)) => {
                telemetry::inject(&mut headers);
                client.post(&url, headers, body).await
            }
            Err(error) => {
                tracing::error!(%error, delivery = %claimed.id, "cannot decrypt a webhook");
                Reply { error: Some("unreadable"), ..Reply::default() }
            }
        };
        let now = env.now();
        let Reply { status, error, retry_after: asked, body, duration } = reply;
        let requested = asked.filter(|_| matches!(status, Some(429 | 503))).and_then(|text| retry_after(&text, now));
        let sent = match status {
            Some(200..=299) => DeliveryOutcome::Delivered,
            Some(410) => DeliveryOutcome::Gone,
            _ => DeliveryOutcome::Failed {
                again_at: schedule.again_at(env.as_ref(), now, claimed.step, requested),
                pause_until: requested.map(|delay| Schedule::pause_until(now, delay)),
            },
        };
        let outcome = match sent {
            DeliveryOutcome::Delivered => "delivered",
            DeliveryOutcome::Failed { again_at: Some(_), .. } | DeliveryOutcome::HandedBack => "failed",
            DeliveryOutcome::Failed { again_at: None, .. } => "dead_letter",
            DeliveryOutcome::Gone => "gone",
        };
        self.parts.metrics.webhook_attempt(outcome, duration);
        let span = Span::current();
        status.map(|status| span.record("http.response.status_code", status));
        error.map(|error| span.record("error.type", error));
        tracing::debug!(event = %claimed.event_id, status, error, outcome, ?duration, "webhook sent");
        let report = AttemptReport {
            number: claimed.number,
            started_at,
            duration: TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX),
            status_code: status,
            error: error.map(str::to_owned),
            sealed_answer: (!body.is_empty()).then(|| sealing::seal_answer(vault, claimed.id, &body)),
        };
        (sent, Some(report))
    }

    /// The URL, the headers and the body of an attempt, signed now: with the secret, and during an overlap with the
    /// previous one too.
    fn signed(&self, claimed: &ClaimedDelivery) -> Result<(Zeroizing<String>, HeaderMap, Vec<u8>), VaultError> {
        let SenderDeps { vault, env, .. } = &self.parts;
        let ClaimedDelivery { endpoint, event_id, .. } = claimed;
        let now = env.now();
        let body = sealing::open_body(vault, claimed.id, &claimed.sealed_body)?.to_vec();
        let secret = sealing::open_secret(vault, endpoint.id, &endpoint.sealed_secret)?;
        let previous = endpoint.previous.as_ref().filter(|(_, until)| *until > now);
        let previous = previous.map(|(sealed, _)| sealing::open_secret(vault, endpoint.id, sealed)).transpose()?;
        let id = event_id.to_string();
        let signatures: Vec<String> = std::iter::once(&secret)
            .chain(&previous)
            .map(|secret: &EndpointSecret| secret.sign(&id, now, &body))
            .collect();
        let values = [
            (signing::ID, id),
            (signing::TIMESTAMP, now.timestamp().to_string()),
            (signing::SIGNATURE, signatures.join(" ")),
            // This header has one signature: during a rotation that of the new secret.
            (BODY_SIGNATURE, secret.sign_body(&body)),
        ];
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in values {
            // The values have only ids, numbers, hex and base64.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Ok((sealing::open_url(vault, endpoint)?, headers, body))
    }
}
