//! The sender: relays events, claims deliveries, sends them, settles.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field};
use uuid::Uuid;

use super::client::{Client, Reply};
use super::schedule::{Schedule, retry_after};
use super::signature::{BODY_SIGNATURE, EndpointSecret};
use super::{ENDPOINT_DISABLED, message, sealing};
use crate::ambient::SharedAmbient;
use crate::signing;
use crate::store::{
    AttemptReport, ClaimRoom, ClaimedDelivery, DeliverySettlement, EndpointHealth, EndpointRecord, NewDelivery, Sent,
    Store, StoreError, in_time,
};
use crate::telemetry::{self, Metrics};
use crate::vault::{Vault, VaultError};

/// Deliveries that one sender has under way at most.
const AT_ONCE: usize = 256;
/// Deliveries to one endpoint that one sender has under way at most: what a slow one can hold of the whole.
const PER_ENDPOINT: usize = 16;
/// Events that one transaction relays at most.
const RELAYED: u64 = 128;
/// What is added to the longest that an attempt can take, for how long a delivery is ours: time to settle it. After a
/// crash those under way wait for so long.
const LEASE_MARGIN: Duration = Duration::from_secs(15);
/// How often an idle sender looks for work that other processes have made, or that has become due.
const POLL: Duration = Duration::from_millis(250);
/// An endpoint that fails so often in a row is left alone for a while, and then tried with one delivery at a time, so
/// that the others of its deliveries keep their attempts. One that only fails for five days is disabled.
const HEALTH: EndpointHealth = EndpointHealth {
    pause_after: 5,
    first_pause: TimeDelta::seconds(10),
    last_pause: TimeDelta::minutes(10),
    disable_after: TimeDelta::days(5),
};

/// What a sender stands on.
#[derive(Clone)]
pub struct Parts {
    /// The database, which also tells when there are new events.
    pub store: Store,
    /// Opens secrets and bodies.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub ambient: SharedAmbient,
    /// Sends.
    pub client: Client,
    /// When what failed is tried again.
    pub schedule: Schedule,
    /// What is measured.
    pub metrics: Metrics,
}

/// Sends webhooks. Any number of them, in any number of processes, share the work.
pub struct Sender {
    parts: Parts,
    running: AtomicBool,
    sending: AtomicUsize,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// How a sender is, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderHealth {
    /// Whether the sender runs in this process.
    pub running: bool,
    /// Deliveries under way in this process.
    pub sending: usize,
}

impl Sender {
    /// A sender that does nothing by itself before [`Sender::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self { parts, running: AtomicBool::new(false), sending: AtomicUsize::new(0) })
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> SenderHealth {
        SenderHealth { running: self.running.load(Ordering::Relaxed), sending: self.sending.load(Ordering::Relaxed) }
    }

    /// Works until told to stop, then hands back what is not done.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.running.store(true, Ordering::Relaxed);
        let mut under_way = UnderWay::default();
        while !stop.is_cancelled() {
            let found = in_time(self.find_work(&mut under_way)).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "no webhooks can be taken up");
                false
            });
            self.sending.store(under_way.claimed.len(), Ordering::Relaxed);
            let settlements = tokio::select! {
                () = stop.cancelled() => Vec::new(),
                settlements = under_way.ready(), if !under_way.claimed.is_empty() => settlements,
                () = self.parts.store.deliveries_wanted(), if !found => Vec::new(),
                () = tokio::time::sleep(POLL), if !found => Vec::new(),
                () = std::future::ready(()), if found => Vec::new(),
            };
            self.settle_or_log(settlements).await;
        }
        self.settle_or_log(under_way.give_up()).await;
        self.sending.store(0, Ordering::Relaxed);
        self.running.store(false, Ordering::Relaxed);
    }

    /// One round: relays events, takes up what is due, sends it and settles. Returns how many events and deliveries it
    /// took up.
    ///
    /// # Errors
    /// The database.
    pub async fn run_once(self: &Arc<Self>) -> Result<usize, StoreError> {
        let relayed = self.relay().await?;
        let mut under_way = UnderWay::default();
        let claimed = self.claim(&mut under_way).await?;
        while !under_way.claimed.is_empty() {
            let settlements = under_way.ready().await;
            self.settle(settlements).await?;
        }
        Ok(relayed + claimed)
    }

    /// Rounds until nothing is due at this moment. Returns how many events and deliveries were taken up.
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

    /// Whether there is likely to be more.
    async fn find_work(self: &Arc<Self>, under_way: &mut UnderWay) -> Result<bool, StoreError> {
        let relayed = self.relay().await?;
        let claimed = self.claim(under_way).await?;
        Ok(relayed > 0 || claimed > 0)
    }

    async fn relay(&self) -> Result<usize, StoreError> {
        let Parts { store, vault, ambient, .. } = &self.parts;
        let seal = |event: &_, delivery_id| sealing::sealed_body(vault, event, delivery_id);
        store.relay_events(ambient.as_ref(), RELAYED, &seal).await
    }

    async fn claim(self: &Arc<Self>, under_way: &mut UnderWay) -> Result<usize, StoreError> {
        let room = ClaimRoom {
            total: AT_ONCE.saturating_sub(under_way.claimed.len()),
            per_endpoint: PER_ENDPOINT,
            probe_after: HEALTH.pause_after,
        };
        if room.total == 0 {
            return Ok(0);
        }
        let Parts { store, ambient, .. } = &self.parts;
        let claimed = store.claim_deliveries(ambient.as_ref(), &under_way.by_endpoint(), room, self.lease()).await?;
        let count = claimed.len();
        claimed.into_iter().for_each(|claimed| under_way.start(self, claimed));
        Ok(count)
    }

    /// How long a delivery is ours.
    fn lease(&self) -> TimeDelta {
        // The timeout is bounded by the configuration, far below what does not fit.
        TimeDelta::from_std(self.parts.client.longest() + LEASE_MARGIN).unwrap_or(TimeDelta::MAX)
    }

    async fn settle_or_log(&self, settlements: Vec<DeliverySettlement>) {
        let count = settlements.len();
        match in_time(self.settle(settlements)).await {
            Ok(held) if held < count => tracing::warn!(lost = count - held, "leases of webhooks ended before the work"),
            Ok(_) => {}
            // The leases end and the deliveries are sent again; receivers know them by their event's id.
            Err(error) => tracing::warn!(%error, count, "webhooks are not settled"),
        }
    }

    async fn settle(&self, settlements: Vec<DeliverySettlement>) -> Result<usize, StoreError> {
        let Parts { store, ambient, .. } = &self.parts;
        let announce = |disabled: &EndpointRecord, other: &EndpointRecord| self.announce(disabled, other);
        let settled = store.settle_deliveries(ambient.as_ref(), settlements, &HEALTH, &announce).await?;
        for EndpointRecord { id, client_id, disabled, .. } in &settled.disabled {
            let reason = disabled.as_ref().map(|(_, reason)| reason.as_str());
            tracing::warn!(endpoint = %id, client = %client_id, reason, "a webhook endpoint is disabled");
            self.parts.metrics.endpoint_disabled();
        }
        Ok(settled.held)
    }

    /// Tells one endpoint that another is disabled.
    fn announce(&self, disabled: &EndpointRecord, other: &EndpointRecord) -> NewDelivery {
        let Parts { vault, ambient, .. } = &self.parts;
        let (id, event_id) = (ambient.new_id(), ambient.new_id());
        NewDelivery {
            id,
            event_id,
            endpoint_id: other.id,
            client_id: other.client_id,
            user_id: None,
            kind: ENDPOINT_DISABLED.to_owned(),
            sequence: 0,
            sealed_body: sealing::seal_body(vault, id, &message::of_disabled(event_id, disabled, ambient.now())),
            trace_context: None,
        }
    }

    /// Makes one attempt.
    async fn send(&self, claimed: ClaimedDelivery) -> (Sent, Option<AttemptReport>) {
        let Parts { vault, ambient, client, schedule, .. } = &self.parts;
        let started_at = ambient.now();
        let reply = match self.signed(&claimed) {
            Ok((mut headers, body)) => {
                telemetry::inject(&mut headers);
                client.post(&claimed.endpoint.url, headers, body).await
            }
            Err(error) => {
                tracing::error!(%error, delivery = %claimed.id, "a webhook does not open");
                Reply { error: Some("unreadable"), ..Reply::default() }
            }
        };
        let now = ambient.now();
        let Reply { status, error, retry_after: asked, body, duration } = reply;
        let wish = asked.filter(|_| matches!(status, Some(429 | 503))).and_then(|text| retry_after(&text, now));
        let sent = match status {
            Some(200..=299) => Sent::Delivered,
            Some(410) => Sent::Gone,
            _ => Sent::Failed {
                again_at: schedule.again_at(ambient.as_ref(), now, claimed.step, wish),
                pause_until: wish.map(|wish| Schedule::pause_until(now, wish)),
            },
        };
        let outcome = match sent {
            Sent::Delivered => "delivered",
            Sent::Failed { again_at: Some(_), .. } | Sent::HandedBack => "failed",
            Sent::Failed { again_at: None, .. } => "dead_letter",
            Sent::Gone => "gone",
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

    /// The headers and the body of an attempt, signed now: with the secret, and while the one before is good, with both.
    fn signed(&self, claimed: &ClaimedDelivery) -> Result<(HeaderMap, Vec<u8>), VaultError> {
        let Parts { vault, ambient, .. } = &self.parts;
        let ClaimedDelivery { endpoint, event_id, .. } = claimed;
        let now = ambient.now();
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
            // This header has room for one: during a rotation it is the new secret's.
            (BODY_SIGNATURE, secret.sign_body(&body)),
        ];
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in values {
            // Ids, numbers, hex and base64 are all that stands in them.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Ok((headers, body))
    }
}

/// Deliveries that are being sent.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<DeliverySettlement>,
    /// What to hand back if there is no time left.
    claimed: HashMap<Uuid, DeliverySettlement>,
}

impl UnderWay {
    fn start(&mut self, sender: &Arc<Sender>, claimed: ClaimedDelivery) {
        let settlement = DeliverySettlement {
            delivery_id: claimed.id,
            lease: claimed.lease,
            endpoint_id: claimed.endpoint.id,
            sent: Sent::HandedBack,
            report: None,
        };
        self.claimed.insert(claimed.id, settlement.clone());
        let span = tracing::info_span!(
            "webhook",
            otel.kind = "client",
            delivery = %claimed.id,
            endpoint = %claimed.endpoint.id,
            attempt = claimed.number,
            http.request.method = "POST",
            http.response.status_code = field::Empty,
            error.type = field::Empty,
        );
        let age = sender.parts.ambient.now() - claimed.created_at;
        telemetry::continue_trace(&span, claimed.trace_context.as_deref(), age);
        let sender = Arc::clone(sender);
        let sending = async move {
            let (sent, report) = sender.send(claimed).await;
            DeliverySettlement { sent, report, ..settlement }
        };
        self.tasks.spawn(sending.instrument(span));
    }

    fn by_endpoint(&self) -> HashMap<Uuid, usize> {
        let mut counts = HashMap::new();
        for settlement in self.claimed.values() {
            *counts.entry(settlement.endpoint_id).or_default() += 1;
        }
        counts
    }

    /// Waits for the first that is done, and takes all others that are done by then.
    async fn ready(&mut self) -> Vec<DeliverySettlement> {
        let mut done: Vec<DeliverySettlement> = Vec::new();
        let mut next = self.tasks.join_next().await;
        while let Some(joined) = next {
            // A task that died has no result; its delivery is handed back below.
            done.extend(joined);
            next = self.tasks.try_join_next();
        }
        self.take(done)
    }

    /// Stops everything; what is not done is handed back.
    fn give_up(&mut self) -> Vec<DeliverySettlement> {
        self.tasks.abort_all();
        let mut done: Vec<DeliverySettlement> = Vec::new();
        while let Some(joined) = self.tasks.try_join_next() {
            done.extend(joined);
        }
        let mut done = self.take(done);
        done.extend(self.claimed.drain().map(|(_, settlement)| settlement));
        done
    }

    fn take(&mut self, mut done: Vec<DeliverySettlement>) -> Vec<DeliverySettlement> {
        for settlement in &done {
            self.claimed.remove(&settlement.delivery_id);
        }
        if self.tasks.is_empty() {
            // Those of tasks that died, if any.
            done.extend(self.claimed.drain().map(|(_, settlement)| settlement));
        }
        done
    }
}
