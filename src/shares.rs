//! How much of something each client has at a time, in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// The shares that are taken, by client; clones count together.
#[derive(Clone, Debug)]
pub struct Shares {
    each: u32,
    taken: Arc<Mutex<HashMap<Uuid, u32>>>,
}

/// One of a client's shares, which is given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    client_id: Uuid,
    shares: Shares,
}

impl Shares {
    /// So many for each client.
    #[must_use]
    pub fn new(each: u32) -> Self {
        Self { each, taken: Arc::default() }
    }

    /// How many each client has.
    #[must_use]
    pub const fn each(&self) -> u32 {
        self.each
    }

    /// One share of a client's; none where it has taken all of them.
    #[must_use]
    pub fn take(&self, client_id: Uuid) -> Option<Share> {
        let mut taken = self.lock();
        let count = taken.entry(client_id).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share { client_id, shares: self.clone() })
    }

    /// Nothing panics while it is held, and a count is whole at any time.
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        if let Some(count) = taken.get_mut(&self.client_id) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.client_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_is_given_back_can_be_taken_again() {
        let shares = Shares::new(2);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = shares.take(one).expect("a share");
        let second = shares.take(one).expect("a share");
        assert!(shares.take(one).is_none(), "none is left");
        drop(shares.take(other).expect("another client has its own"));
        drop(first);
        let again = shares.take(one).expect("a share");
        drop((second, again));
        assert!(shares.lock().is_empty(), "who has no share takes no memory");
    }
}
