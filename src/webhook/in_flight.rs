//! The deliveries that one sender has in flight.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument as _, field};
use uuid::Uuid;

use super::pace::{Admission, Paces, Started};
use super::sender::Sender;
use crate::store::{ClaimedDelivery, DeliveryOutcome, DeliverySettlement};
use crate::telemetry;

/// Deliveries that are being sent.
pub(super) struct InFlight {
    tasks: JoinSet<DeliverySettlement>,
    /// What to settle if a delivery is aborted, and since when and for whom each is in flight.
    claimed: HashMap<Uuid, (DeliverySettlement, Started)>,
    paces: Arc<Mutex<Paces>>,
}

impl InFlight {
    /// No delivery yet; `paces` records how long each takes.
    pub(super) fn new(paces: Arc<Mutex<Paces>>) -> Self {
        Self { tasks: JoinSet::new(), claimed: HashMap::new(), paces }
    }

    /// The number of deliveries.
    pub(super) fn len(&self) -> usize {
        self.claimed.len()
    }

    /// What may be started in addition.
    pub(super) fn admission(&self) -> Admission {
        self.paces().admission(self.claimed.values().map(|(_, started)| *started), Instant::now())
    }

    pub(super) fn start(&mut self, sender: &Arc<Sender>, claimed: ClaimedDelivery) {
        let settlement = DeliverySettlement {
            client_id: claimed.endpoint.client_id,
            delivery_id: claimed.id,
            lease: claimed.lease,
            endpoint_id: claimed.endpoint.id,
            sent: DeliveryOutcome::HandedBack,
            report: None,
        };
        let (endpoint_id, client_id) = (claimed.endpoint.id, claimed.endpoint.client_id);
        let started = Started { endpoint_id, client_id, at: Instant::now() };
        self.claimed.insert(claimed.id, (settlement.clone(), started));
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
        telemetry::continue_trace(&span, claimed.trace_context.as_deref(), sender.age_of(&claimed));
        let sender = Arc::clone(sender);
        let sending = async move {
            let (sent, report) = sender.send(claimed).await;
            DeliverySettlement { sent, report, ..settlement }
        };
        self.tasks.spawn(sending.instrument(span));
    }

    /// Waits for the first that is done, and takes all others that are done by then.
    pub(super) async fn ready(&mut self) -> Vec<DeliverySettlement> {
        let mut done: Vec<DeliverySettlement> = Vec::new();
        let mut next = self.tasks.join_next().await;
        while let Some(joined) = next {
            // A task that panicked has no result; `take` releases its delivery.
            done.extend(joined);
            next = self.tasks.try_join_next();
        }
        self.take(done)
    }

    /// Aborts all; deliveries that are not done are released.
    pub(super) fn abort(&mut self) -> Vec<DeliverySettlement> {
        self.tasks.abort_all();
        let mut done: Vec<DeliverySettlement> = Vec::new();
        while let Some(joined) = self.tasks.try_join_next() {
            done.extend(joined);
        }
        let mut done = self.take(done);
        done.extend(self.claimed.drain().map(|(_, (settlement, _))| settlement));
        done
    }

    fn take(&mut self, mut done: Vec<DeliverySettlement>) -> Vec<DeliverySettlement> {
        let now = Instant::now();
        for settlement in &done {
            if let Some((_, started)) = self.claimed.remove(&settlement.delivery_id) {
                self.paces().record(started, now, settlement.sent == DeliveryOutcome::Delivered);
            }
        }
        if self.tasks.is_empty() {
            // Deliveries of tasks that panicked, if any.
            done.extend(self.claimed.drain().map(|(_, (settlement, _))| settlement));
        }
        done
    }

    fn paces(&self) -> MutexGuard<'_, Paces> {
        self.paces.lock()
    }
}
