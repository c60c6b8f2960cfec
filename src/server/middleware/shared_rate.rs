//! The allowance of a client that replicas share: each takes a tenth of a second's worth at a time from one place, and
//! spends it by itself. So most calls wait for nothing, and none for more than one round trip.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tonic::async_trait;
use uuid::Uuid;

/// How long the shared place may take.
const PATIENCE: Duration = Duration::from_millis(250);
/// In how many parts the allowance of a second is taken.
const PARTS: u32 = 10;
/// Clients that are tracked before idle ones are removed.
const TRACKED: usize = 10_000;

/// The place that replicas share.
#[async_trait]
pub trait SharedRate: Send + Sync {
    /// Takes `span` of a client's time, unless more than `burst` from `now` on would be taken then: false. None: the place
    /// does not answer.
    async fn take(&self, client_id: Uuid, now: DateTime<Utc>, span: TimeDelta, burst: TimeDelta) -> Option<bool>;
}

/// What a client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The call is allowed, and so many after it.
    Left(u32),
    /// How long until there may be more.
    Wait(TimeDelta),
    /// The shared place does not answer.
    Unknown,
}

/// What this process has taken.
pub(super) struct Leases {
    place: Arc<dyn SharedRate>,
    clients: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<Lease>>>>,
    /// Calls that clients have made beyond what they took, not yet in their leases.
    charged: Mutex<HashMap<Uuid, u32>>,
}

#[derive(Debug, Default)]
struct Lease {
    calls: u32,
    /// Calls that were made and are still to be taken.
    debt: u32,
    /// The calls are lost after this.
    until: DateTime<Utc>,
    /// The place has refused; it is not asked before.
    refused_until: DateTime<Utc>,
    /// The place has not answered; it is not asked before.
    unknown_until: DateTime<Utc>,
}

impl Lease {
    /// Takes one of the calls, after those that are owed; whether there is one.
    fn spend(&mut self) -> bool {
        let paid = Ord::min(self.debt, self.calls);
        (self.debt, self.calls) = (self.debt - paid, self.calls - paid);
        let is_left = self.calls > 0;
        self.calls = self.calls.saturating_sub(1);
        is_left
    }
}

impl Leases {
    pub(super) fn new(place: Arc<dyn SharedRate>) -> Self {
        Self { place, clients: Mutex::default(), charged: Mutex::default() }
    }

    /// Charges a client for `calls` more, which its next calls make up for.
    pub(super) fn charge(&self, client_id: Uuid, calls: u16) {
        if calls > 0 {
            let mut charged = self.charged.lock().unwrap_or_else(PoisonError::into_inner);
            let debt = charged.entry(client_id).or_default();
            *debt = debt.saturating_add(calls.into());
        }
    }

    /// Takes one call of a client; each costs `cost` of its time.
    pub(super) async fn take(&self, client_id: Uuid, now: DateTime<Utc>, per_second: u32, cost: TimeDelta) -> Share {
        let burst = TimeDelta::seconds(1);
        let lease = self.lease(client_id, now);
        // The calls of a client that come meanwhile wait for the same answer.
        let mut lease = lease.lock().await;
        lease.debt = lease.debt.saturating_add(self.charged(client_id));
        if now >= lease.until {
            lease.calls = 0;
        }
        if lease.spend() {
            return Share::Left(lease.calls);
        }
        // Later than a burst: the clock was set back.
        if now < lease.refused_until && lease.refused_until <= now + burst {
            return Share::Wait(lease.refused_until - now);
        }
        if now < lease.unknown_until && lease.unknown_until <= now + burst {
            return Share::Unknown;
        }
        let calls = Ord::max(1, per_second / PARTS);
        let span = cost * i32::try_from(calls).unwrap_or(i32::MAX);
        match tokio::time::timeout(PATIENCE, self.place.take(client_id, now, span, burst)).await {
            Ok(Some(true)) => {
                (lease.calls, lease.until) = (calls, now + burst);
                if lease.spend() { Share::Left(lease.calls) } else { Share::Wait(span) }
            }
            Ok(Some(false)) => {
                lease.refused_until = now + span;
                Share::Wait(span)
            }
            Ok(None) | Err(_) => {
                lease.unknown_until = now + burst;
                Share::Unknown
            }
        }
    }

    /// Takes out what the client was charged.
    fn charged(&self, client_id: Uuid) -> u32 {
        self.charged.lock().unwrap_or_else(PoisonError::into_inner).remove(&client_id).unwrap_or_default()
    }

    fn lease(&self, client_id: Uuid, now: DateTime<Utc>) -> Arc<tokio::sync::Mutex<Lease>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= TRACKED && !clients.contains_key(&client_id) {
            clients.retain(|_, lease| {
                lease.try_lock().is_ok_and(|lease| now < Ord::max(lease.until, lease.refused_until))
            });
        }
        Arc::clone(clients.entry(client_id).or_default())
    }
}
