//! Limits the number of bodies that are arriving. Their requests hold no permit, but each has memory and a timer. When one
//! caller has too many, its oldest body is aborted for the newest: an ordinary body arrives within milliseconds, and is
//! never the oldest for long.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures_util::task::AtomicWaker;

use crate::server::admission::CallerKey;

/// The bodies that are arriving; clones share their state.
#[derive(Clone, Debug)]
pub(in crate::server) struct Receiving {
    /// The limit of all callers.
    total: usize,
    /// The limit of one client or one network.
    each: usize,
    bodies: Arc<Mutex<Bodies>>,
}

#[derive(Debug, Default)]
struct Bodies {
    /// By caller, from the oldest to the newest.
    by_caller: HashMap<CallerKey, BTreeMap<u64, Arc<Abort>>>,
    count: usize,
    next: u64,
}

/// Whether a body is aborted.
#[derive(Debug, Default)]
struct Abort {
    flag: AtomicBool,
    waker: AtomicWaker,
}

impl Receiving {
    /// Allows `total` bodies at a time, and a quarter of them for one caller.
    pub(in crate::server) fn new(total: usize) -> Self {
        Self { total: Ord::max(total, 1), each: Ord::max(total / 4, 1), bodies: Arc::default() }
    }

    /// Adds a body of `caller`.
    pub(super) fn begin(&self, caller: CallerKey) -> ArrivingBody {
        let mut bodies = self.lock();
        if bodies.by_caller.get(&caller).is_some_and(|own| own.len() >= self.each) {
            bodies.abort_oldest_of(caller);
        } else if bodies.count >= self.total
            && let Some(greediest) = bodies.greediest()
        {
            bodies.abort_oldest_of(greediest);
        }
        let number = bodies.next;
        bodies.next += 1;
        bodies.count += 1;
        let abort = Arc::new(Abort::default());
        bodies.by_caller.entry(caller).or_default().insert(number, Arc::clone(&abort));
        drop(bodies);
        ArrivingBody { receiving: self.clone(), caller, number, abort }
    }

    /// No code panics while it holds the lock, and the state is always consistent.
    fn lock(&self) -> MutexGuard<'_, Bodies> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bodies {
    /// The caller with the most bodies.
    fn greediest(&self) -> Option<CallerKey> {
        self.by_caller.iter().max_by_key(|(_, own)| own.len()).map(|(caller, _)| *caller)
    }

    fn abort_oldest_of(&mut self, caller: CallerKey) {
        if let Some(own) = self.by_caller.get_mut(&caller)
            && let Some((_, abort)) = own.pop_first()
        {
            self.count -= 1;
            abort.flag.store(true, Ordering::Release);
            abort.waker.wake();
        }
    }
}

/// A body that is arriving; dropping removes it.
#[derive(Debug)]
pub(super) struct ArrivingBody {
    receiving: Receiving,
    caller: CallerKey,
    number: u64,
    abort: Arc<Abort>,
}

impl ArrivingBody {
    /// Whether it is aborted for a newer one; registers the task to be woken otherwise.
    pub(super) fn poll_aborted(&self, cx: &Context<'_>) -> bool {
        self.abort.waker.register(cx.waker());
        self.abort.flag.load(Ordering::Acquire)
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        let mut bodies = self.receiving.lock();
        let Some(own) = bodies.by_caller.get_mut(&self.caller) else { return };
        let was_there = own.remove(&self.number).is_some();
        if own.is_empty() {
            bodies.by_caller.remove(&self.caller);
        }
        bodies.count -= usize::from(was_there);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use uuid::Uuid;

    use super::*;

    const ONE: CallerKey = CallerKey::Client(Uuid::from_u128(1));
    const OTHER: CallerKey = CallerKey::Client(Uuid::from_u128(2));

    fn is_aborted(body: &ArrivingBody) -> bool {
        body.poll_aborted(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_oldest_body_of_a_caller_is_aborted_when_it_has_too_many_and_of_no_other() {
        let receiving = Receiving::new(8);
        let other = receiving.begin(OTHER);
        let bodies: Vec<_> = (0..3).map(|_| receiving.begin(ONE)).collect();
        let aborted: Vec<_> = bodies.iter().map(is_aborted).collect();
        assert_eq!((aborted, is_aborted(&other)), (vec![true, false, false], false));
        drop((bodies, other));
        assert!(receiving.lock().by_caller.is_empty() && receiving.lock().count == 0);
    }

    #[test]
    fn at_the_total_limit_the_caller_with_the_most_loses_its_oldest() {
        let receiving = Receiving { each: 4, ..Receiving::new(4) };
        let bodies: Vec<_> = (0..4).map(|_| receiving.begin(ONE)).collect();
        let other = receiving.begin(OTHER);
        let aborted: Vec<_> = bodies.iter().map(is_aborted).collect();
        assert_eq!((aborted, is_aborted(&other)), (vec![true, false, false, false], false));
    }
}
