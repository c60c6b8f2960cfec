//! How many streams a client has open at a time: each costs a query for every new event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kira_gateway::error::{self, ErrorReason};
use tonic::Status;
use uuid::Uuid;

/// The places that are taken, by client, in this process.
#[derive(Clone, Debug)]
pub struct Places {
    limit: u32,
    taken: Arc<Mutex<HashMap<Uuid, u32>>>,
}

/// A place that is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    client_id: Uuid,
    places: Places,
}

impl Places {
    /// So many for each client.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit, taken: Arc::default() }
    }

    /// # Errors
    /// RESOURCE_EXHAUSTED where the client has taken all of its places.
    pub(super) fn take(&self, client_id: Uuid) -> Result<Place, Status> {
        let mut taken = self.lock();
        let count = taken.entry(client_id).or_default();
        if *count >= self.limit {
            let message = format!("At most {} event streams at a time", self.limit);
            return Err(error::status(ErrorReason::RateLimitExceeded, message));
        }
        *count += 1;
        Ok(Place { client_id, places: self.clone() })
    }

    /// Nothing panics while it is held, and a count is whole at any time.
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
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
    fn a_place_that_is_given_back_can_be_taken_again() {
        let places = Places::new(2);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = places.take(one).expect("a place");
        let second = places.take(one).expect("a place");
        assert_eq!(places.take(one).expect_err("none is left").code(), tonic::Code::ResourceExhausted);
        drop(places.take(other).expect("another client has its own"));
        drop(first);
        let again = places.take(one).expect("a place");
        drop((second, again));
        assert!(places.lock().is_empty(), "who has no place takes no memory");
    }
}
