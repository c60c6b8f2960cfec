//! A queue for expensive work in which each client waits behind its own work alone.
//!
//! Clients take turns. A client that has work running gets another turn only while no client without any waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Hands out turns. Clones share one queue.
#[derive(Clone)]
pub(super) struct FairQueue {
    state: Arc<Mutex<State>>,
}

struct State {
    /// Turns that may be taken now.
    free: usize,
    /// How many of one client may wait.
    most_waiting: usize,
    clients: HashMap<Uuid, Client>,
    /// Clients with work that waits; the one whose turn is next comes first.
    order: VecDeque<Uuid>,
}

#[derive(Default)]
struct Client {
    running: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A permit to work; returned when it is dropped.
pub(super) struct Turn {
    client_id: Uuid,
    queue: FairQueue,
}

/// A client has too much work waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Turns to grant once the lock is released: a turn whose receiver is gone is returned at once, which takes the lock.
type Granted = Vec<(oneshot::Sender<Turn>, Turn)>;

impl FairQueue {
    /// A queue with this number of concurrent turns and of waiting callers of each client.
    pub(super) fn new(at_once: usize, most_waiting: usize) -> Self {
        let state = State { free: at_once, most_waiting, clients: HashMap::new(), order: VecDeque::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a turn of this client.
    ///
    /// # Errors
    /// The client has too much work waiting.
    pub(super) async fn turn(&self, client_id: Uuid) -> Result<Turn, Full> {
        let (sender, receiver) = oneshot::channel();
        let granted = {
            let mut state = self.lock();
            state.enqueue(client_id, sender)?;
            state.grant(self)
        };
        hand_over(granted);
        // The queue drops no sender that waits, since `self` keeps the queue.
        receiver.await.map_err(|_| Full)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn enqueue(&mut self, client_id: Uuid, sender: oneshot::Sender<Turn>) -> Result<(), Full> {
        let client = self.clients.entry(client_id).or_default();
        if client.waiting.len() >= self.most_waiting {
            // Cancelled callers do not count.
            client.waiting.retain(|waiting| !waiting.is_closed());
        }
        if client.waiting.len() >= self.most_waiting {
            return Err(Full);
        }
        client.waiting.push_back(sender);
        if !self.order.contains(&client_id) {
            self.order.push_back(client_id);
        }
        Ok(())
    }

    fn grant(&mut self, queue: &FairQueue) -> Granted {
        let mut granted = Vec::new();
        while self.free > 0 {
            let is_idle = |id: &Uuid| self.clients.get(id).is_some_and(|client| client.running == 0);
            let next = self.order.iter().position(is_idle).unwrap_or_default();
            let Some(client_id) = self.order.remove(next) else { break };
            let client = self.clients.entry(client_id).or_default();
            let Some(sender) = client.waiting.pop_front() else { continue };
            client.running += 1;
            self.free -= 1;
            if !client.waiting.is_empty() {
                self.order.push_back(client_id);
            }
            granted.push((sender, Turn { client_id, queue: queue.clone() }));
        }
        granted
    }

    fn give_back(&mut self, client_id: Uuid) {
        self.free += 1;
        if let Some(client) = self.clients.get_mut(&client_id) {
            client.running -= 1;
            if client.running == 0 && client.waiting.is_empty() {
                self.clients.remove(&client_id);
            }
        }
    }
}

fn hand_over(granted: Granted) {
    for (sender, turn) in granted {
        // A cancelled caller passes its turn to the next.
        drop(sender.send(turn));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let granted = {
            let mut state = self.queue.lock();
            state.give_back(self.client_id);
            state.grant(&self.queue)
        };
        hand_over(granted);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn client(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[tokio::test]
    async fn a_client_waits_behind_its_own_work_alone() {
        let queue = FairQueue::new(1, 16);
        let running = queue.turn(client(1)).await.expect("a turn");
        let mut flood: Vec<_> = (0..16).map(|_| Box::pin(queue.turn(client(1)))).collect();
        assert!(flood.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let mut other = Box::pin(queue.turn(client(2)));
        assert!((&mut other).now_or_never().is_none());
        drop(running);
        // The flood was first in line for the turn that was running.
        let first = (&mut flood[0]).now_or_never().expect("done").expect("a turn");
        drop(first);
        assert!((&mut other).now_or_never().is_some(), "the other client is next");
    }

    #[tokio::test]
    async fn a_client_that_waits_for_too_much_is_refused_and_the_others_are_not() {
        let queue = FairQueue::new(1, 4);
        let _running = queue.turn(client(1)).await.expect("a turn");
        let mut flood: Vec<_> = (0..4).map(|_| Box::pin(queue.turn(client(1)))).collect();
        assert!(flood.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert_eq!(queue.turn(client(1)).await.err(), Some(Full));
        assert!(queue.turn(client(2)).now_or_never().is_none(), "another client may wait");
        flood.pop();
        assert!(queue.turn(client(1)).now_or_never().is_none(), "one that has gone away does not count");
    }

    #[tokio::test]
    async fn while_others_wait_a_client_has_one_turn_at_a_time() {
        let queue = FairQueue::new(2, 16);
        let alone = [queue.turn(client(1)).await.expect("a turn"), queue.turn(client(1)).await.expect("a turn")];
        let mut flood: Vec<_> = (0..4).map(|_| Box::pin(queue.turn(client(1)))).collect();
        assert!(flood.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let mut others: Vec<_> = (2..4).map(|number| Box::pin(queue.turn(client(number)))).collect();
        assert!(others.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let [first, _second] = alone;
        drop(first);
        // They are held: a turn that is dropped goes to the next.
        let served: Vec<_> = others.iter_mut().filter_map(|turn| turn.now_or_never()).collect();
        assert_eq!(served.len(), 1, "a client without a turn goes before one that has one");
        assert!(flood.iter_mut().all(|turn| turn.now_or_never().is_none()));
    }

    #[tokio::test]
    async fn a_turn_that_is_not_taken_goes_to_the_next() {
        let queue = FairQueue::new(1, 16);
        let running = queue.turn(client(1)).await.expect("a turn");
        let mut gone = Box::pin(queue.turn(client(2)));
        let mut next = Box::pin(queue.turn(client(3)));
        assert!((&mut gone).now_or_never().is_none() && (&mut next).now_or_never().is_none());
        drop(gone);
        drop(running);
        let turn = next.now_or_never().expect("done").expect("a turn");
        drop(turn);
        let state = queue.lock();
        assert_eq!((state.free, state.clients.len(), state.order.len()), (1, 0, 0));
    }
}
