//! Limits how many of something each client (or other key) has at a time, in this process.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// The permits of each client or other key; clones share their state.
#[derive(Clone, Debug)]
pub struct PerClientPermits<K: Eq + Hash = Uuid> {
    each: u32,
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

/// A permit of a key; dropping it releases it.
#[derive(Debug)]
pub struct Permit<K: Eq + Hash = Uuid> {
    key: K,
    permits: PerClientPermits<K>,
}

impl<K: Eq + Hash + Copy> PerClientPermits<K> {
    /// Allows `each` permits per key.
    #[must_use]
    pub fn new(each: u32) -> Self {
        Self { each, taken: Arc::default() }
    }

    /// The number of permits per key.
    #[must_use]
    pub const fn each(&self) -> u32 {
        self.each
    }

    /// Takes a permit of `key`; `None` if all are taken.
    #[must_use]
    pub fn take(&self, key: K) -> Option<Permit<K>> {
        let mut taken = self.lock();
        let count = taken.entry(key).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Permit { key, permits: self.clone() })
    }
}

impl<K: Eq + Hash> PerClientPermits<K> {
    /// No code panics while it holds the lock, and the counts are always consistent.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut taken = self.permits.lock();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_permit_can_be_taken_again() {
        let permits = PerClientPermits::new(2);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = permits.take(one).expect("a permit");
        let second = permits.take(one).expect("a permit");
        assert!(permits.take(one).is_none(), "none is left");
        drop(permits.take(other).expect("another client has its own"));
        drop(first);
        let again = permits.take(one).expect("a permit");
        drop((second, again));
        assert!(permits.lock().is_empty(), "a key without permits takes no memory");
    }
}
