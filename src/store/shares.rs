//! The shares of the clients in the connections of requests: one client never holds all of them, so that another one's
//! request finds a connection however long the first one's statements take.
//!
//! A client by itself may hold three quarters; while others hold or wait for connections, half. Its further requests wait,
//! first come first served.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::{ConnAcquireErr, DbErr};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::current_client;

/// The shares of one pool; clones share their state.
#[derive(Clone, Debug)]
pub(super) struct ClientShares {
    /// What one client may hold while no other wants any.
    alone: usize,
    /// What one client may hold while others do.
    beside_others: usize,
    /// How long a request waits.
    timeout: Duration,
    clients: Arc<Mutex<HashMap<Uuid, Share>>>,
}

impl Default for ClientShares {
    fn default() -> Self {
        Self::new(u32::MAX, Duration::MAX)
    }
}

/// The share of one client, while it holds or wants a connection.
#[derive(Debug, Default)]
struct Share {
    held: usize,
    waiting: VecDeque<oneshot::Sender<Held>>,
}

/// A connection's place in the share of its client; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Held {
    client_id: Uuid,
    shares: ClientShares,
}

impl ClientShares {
    /// Shares of a pool with so many connections.
    pub(super) fn new(connections: u32, timeout: Duration) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        Self {
            alone: Ord::max(1, connections - connections.div_ceil(4)),
            beside_others: Ord::max(1, connections / 2),
            timeout,
            clients: Arc::default(),
        }
    }

    /// Waits until the client of this request may have one more connection. None: no client has asked for it.
    pub(super) async fn enter(&self) -> Result<Option<Held>, DbErr> {
        let Some(client_id) = current_client::current() else { return Ok(None) };
        let Some(turn) = self.ask(client_id) else {
            return Ok(Some(Held { client_id, shares: self.clone() }));
        };
        match tokio::time::timeout(self.timeout, turn).await {
            Ok(Ok(held)) => Ok(Some(held)),
            // The sender is kept until it sends.
            Ok(Err(_)) | Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        }
    }

    /// Takes a place, or a turn to wait for where the share is used up.
    fn ask(&self, client_id: Uuid) -> Option<oneshot::Receiver<Held>> {
        let mut clients = self.clients.lock();
        let most = self.most(clients.len() + usize::from(!clients.contains_key(&client_id)));
        let share = clients.entry(client_id).or_default();
        if share.held < most && share.waiting.is_empty() {
            share.held += 1;
            return None;
        }
        let (sender, turn) = oneshot::channel();
        share.waiting.push_back(sender);
        Some(turn)
    }

    /// How many one client may hold while so many hold or want some.
    const fn most(&self, clients: usize) -> usize {
        if clients > 1 { self.beside_others } else { self.alone }
    }

    /// Gives a place back, and wakes the clients that may go on.
    fn release(&self, client_id: Uuid) {
        let mut turns = Vec::new();
        {
            let mut clients = self.clients.lock();
            if let Some(share) = clients.get_mut(&client_id) {
                share.held -= 1;
            }
            clients.retain(|_, share| {
                share.waiting.retain(|waiter| !waiter.is_closed());
                share.held > 0 || !share.waiting.is_empty()
            });
            let most = self.most(clients.len());
            for (client_id, share) in clients.iter_mut() {
                while share.held < most
                    && let Some(waiter) = share.waiting.pop_front()
                {
                    share.held += 1;
                    turns.push((waiter, *client_id));
                }
            }
        }
        // Without the lock: a waiter that has left gives its place back at once.
        for (waiter, client_id) in turns {
            drop(waiter.send(Held { client_id, shares: self.clone() }));
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shares.release(self.client_id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::current_client::run_as;

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn shares() -> ClientShares {
        ClientShares::new(12, Duration::from_secs(60))
    }

    /// The place, if there is one now.
    fn take(shares: &ClientShares, client_id: Uuid) -> Option<Held> {
        let entered = run_as(client_id, shares.enter()).now_or_never();
        entered.map(|held| held.expect("no time passes").expect("a client"))
    }

    #[tokio::test]
    async fn one_client_leaves_connections_to_others() {
        let shares = shares();
        let held: Vec<_> = (0..20).map_while(|_| take(&shares, ONE)).collect();
        assert_eq!(held.len(), 9);
        let others: Vec<_> = (0..20).map_while(|_| take(&shares, OTHER)).collect();
        assert_eq!(others.len(), 6);
        drop(held);
        let held: Vec<_> = (0..20).map_while(|_| take(&shares, ONE)).collect();
        assert_eq!(held.len(), 6, "the other one holds some");
        drop((held, others));
        assert!(shares.clients.lock().is_empty(), "a client without connections takes no memory");
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_a_place_is_free_and_one_who_left_does_not_keep_it() {
        let shares = shares();
        let mut held: Vec<_> = (0..9).filter_map(|_| take(&shares, ONE)).collect();
        let mut waiting = Box::pin(run_as(ONE, shares.enter()));
        assert!(waiting.as_mut().now_or_never().is_none());
        let mut left = Box::pin(run_as(ONE, shares.enter()));
        assert!(left.as_mut().now_or_never().is_none());
        drop((left, held.pop()));
        let place = waiting.await.expect("no time passes").expect("a client");
        assert!(take(&shares, ONE).is_none());
        drop(place);
        assert!(take(&shares, ONE).is_some());
    }

    #[tokio::test]
    async fn what_no_client_has_asked_for_does_not_wait() {
        let shares = ClientShares::new(1, Duration::from_secs(60));
        let held = take(&shares, ONE);
        assert!(held.is_some());
        assert!(shares.enter().await.expect("no wait").is_none());
    }
}
