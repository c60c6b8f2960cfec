//! Which deliveries a sender starts next: each client has its share, and slow endpoints cost only their own.
//!
//! A sender has room for a limited number of deliveries in flight. One to a slow endpoint keeps its room for seconds, one
//! to a quick endpoint for milliseconds. So each client has a part of the room; slow endpoints have a part together; and
//! an endpoint that has not answered yet starts with few deliveries and gets more with each quick answer, as TCP does
//! with packets. What is left is for quick endpoints alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::sender::FAILURE_POLICY;
use crate::store::{Candidate, EndpointRecord, WebhookAdmission};

/// Deliveries that one sender has in flight at most.
const AT_ONCE: usize = 256;
/// Of these, deliveries for one client.
const PER_CLIENT: usize = 64;
/// Of these, deliveries to one endpoint that answers quickly.
const PER_ENDPOINT: usize = 16;
/// An answer that takes longer makes its endpoint a slow one.
const SLOW: Duration = Duration::from_secs(1);
/// Deliveries to all endpoints together that are slow or have not answered yet.
const UNPROVEN_AT_ONCE: usize = 160;
/// Of these, deliveries for one client.
const UNPROVEN_PER_CLIENT: usize = 32;
/// Deliveries to all slow endpoints together.
const SLOW_AT_ONCE: usize = 96;
/// Deliveries to one endpoint that is slow, or has not answered yet.
const FEW: usize = 4;
/// Endpoints whose pace is remembered, of some sixty bytes each.
const MOST_KNOWN: usize = 100_000;
/// Full endpoints that a statement leaves out; of those beyond, no delivery is chosen.
const MOST_LEFT_OUT: usize = 1_000;

/// How an endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// It has not answered yet.
    New,
    /// Within a second; with this number of deliveries at a time.
    Quick(usize),
    /// Later, or not at all.
    Slow,
}

impl Pace {
    const fn at_once(self) -> usize {
        match self {
            Self::New | Self::Slow => FEW,
            Self::Quick(at_once) => at_once,
        }
    }

    fn after(self, elapsed: Duration, is_delivered: bool) -> Self {
        match self {
            _ if elapsed >= SLOW => Self::Slow,
            // One that fails at once earns no more attempts.
            before if !is_delivered => before,
            Self::Slow => Self::New,
            before => Self::Quick(Ord::min(before.at_once() * 2, PER_ENDPOINT)),
        }
    }
}

/// A delivery that has been started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Started {
    pub(super) endpoint_id: Uuid,
    pub(super) client_id: Uuid,
    pub(super) at: Instant,
}

/// How the endpoints have answered so far, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Paces {
    known: Arc<HashMap<Uuid, Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    client_id: Uuid,
    pace: Pace,
}

impl Paces {
    /// Records how long a delivery took, or has taken so far.
    pub(super) fn record(&mut self, started: Started, now: Instant, is_delivered: bool) {
        // No admission is alive now, so that nothing is copied.
        let all = Arc::make_mut(&mut self.known);
        if all.len() >= MOST_KNOWN && !all.contains_key(&started.endpoint_id) {
            all.clear();
        }
        let known = Known { client_id: started.client_id, pace: Pace::New };
        let known = all.entry(started.endpoint_id).or_insert(known);
        known.pace = known.pace.after(now - started.at, is_delivered);
    }

    /// What may be started beside those that are `in_flight`. One that has no answer for long makes its endpoint slow
    /// before the answer does.
    pub(super) fn admission(&mut self, in_flight: impl Iterator<Item = Started>, now: Instant) -> Admission {
        let in_flight: Vec<Started> = in_flight.collect();
        for started in in_flight.iter().filter(|started| now - started.at >= SLOW) {
            self.record(*started, now, false);
        }
        let mut admission = Admission { known: Arc::clone(&self.known), ..Admission::default() };
        for Started { endpoint_id, client_id, .. } in in_flight {
            admission.count(endpoint_id, client_id);
        }
        admission
    }
}

/// What one claim may take.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    known: Arc<HashMap<Uuid, Known>>,
    all: usize,
    unproven: usize,
    slow: usize,
    endpoints: HashMap<Uuid, usize>,
    clients: HashMap<Uuid, Taken>,
}

/// What a client has in flight.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    all: usize,
    unproven: usize,
}

impl Admission {
    /// Whether nothing at all may be started.
    pub(super) const fn is_closed(&self) -> bool {
        self.all >= AT_ONCE
    }

    fn pace(&self, endpoint_id: Uuid) -> Pace {
        self.known.get(&endpoint_id).map_or(Pace::New, |known| known.pace)
    }

    fn taken(&self, client_id: Uuid) -> Taken {
        self.clients.get(&client_id).copied().unwrap_or_default()
    }

    fn count(&mut self, endpoint_id: Uuid, client_id: Uuid) {
        let pace = self.pace(endpoint_id);
        let taken = self.clients.entry(client_id).or_default();
        self.all += 1;
        taken.all += 1;
        *self.endpoints.entry(endpoint_id).or_default() += 1;
        if !matches!(pace, Pace::Quick(_)) {
            self.unproven += 1;
            taken.unproven += 1;
        }
        self.slow += usize::from(pace == Pace::Slow);
    }

    /// How many more deliveries of a client to one of its endpoints.
    fn left(&self, endpoint_id: Uuid, client_id: Uuid) -> usize {
        let (pace, taken) = (self.pace(endpoint_id), self.taken(client_id));
        let in_flight = self.endpoints.get(&endpoint_id).copied().unwrap_or_default();
        let unproven = Ord::min(
            UNPROVEN_AT_ONCE.saturating_sub(self.unproven),
            UNPROVEN_PER_CLIENT.saturating_sub(taken.unproven),
        );
        let of_pace = match pace {
            Pace::Quick(_) => AT_ONCE,
            Pace::New => unproven,
            Pace::Slow => unproven.min(SLOW_AT_ONCE.saturating_sub(self.slow)),
        };
        of_pace
            .min(AT_ONCE.saturating_sub(self.all))
            .min(PER_CLIENT.saturating_sub(taken.all))
            .min(pace.at_once().saturating_sub(in_flight))
    }
}

impl WebhookAdmission for Admission {
    fn full_clients(&self) -> Vec<Uuid> {
        self.clients.iter().filter(|(_, taken)| taken.all >= PER_CLIENT).map(|(id, _)| *id).collect()
    }

    fn full_endpoints(&self) -> Vec<Uuid> {
        let slow = self.known.iter().filter(|(_, known)| known.pace == Pace::Slow).map(|(id, known)| (*id, known));
        let full_slow = slow.filter(|(id, known)| self.left(*id, known.client_id) == 0).map(|(id, _)| id);
        let in_flight = self.endpoints.iter().filter(|(id, count)| **count >= self.pace(**id).at_once());
        let mut full: Vec<Uuid> = in_flight.map(|(id, _)| *id).chain(full_slow).collect();
        full.sort_unstable();
        full.dedup();
        full.truncate(MOST_LEFT_OUT);
        full
    }

    fn room(&self, endpoint: &EndpointRecord) -> usize {
        let left = self.left(endpoint.id, endpoint.client_id);
        if endpoint.failures < FAILURE_POLICY.pause_after {
            return left;
        }
        // One that only fails is tried with one delivery at a time, so that its others keep their attempts.
        left.min(1_usize.saturating_sub(self.endpoints.get(&endpoint.id).copied().unwrap_or_default()))
    }

    /// In turns among the clients; the one with the least in flight is served first.
    fn choose(&self, candidates: Vec<Candidate>) -> Vec<Uuid> {
        let mut queued: HashMap<Uuid, usize> = HashMap::new();
        let mut turns: Vec<(usize, Candidate)> = candidates
            .into_iter()
            .map(|candidate| {
                let turn = queued.entry(candidate.client_id).or_insert_with(|| self.taken(candidate.client_id).all);
                *turn += 1;
                (*turn, candidate)
            })
            .collect();
        turns.sort_by_key(|(turn, _)| *turn);
        let mut chosen = self.clone();
        let admitted = turns.into_iter().filter(|(_, Candidate { endpoint_id, client_id, .. })| {
            let is_admitted = chosen.left(*endpoint_id, *client_id) > 0;
            if is_admitted {
                chosen.count(*endpoint_id, *client_id);
            }
            is_admitted
        });
        admitted.map(|(_, candidate)| candidate.id).collect()
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
