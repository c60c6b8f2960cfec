//! Shares of the [places](super::shed): nobody has all of them, neither those who show no credentials nor one client.
//! Otherwise a few bodies that are sent slowly would keep out everybody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kira_gateway::method::Access;
use uuid::Uuid;

use super::door::{Call, Door};
use super::layer::{HttpService, Wrap, pass};
use super::shed::Places;
use super::{HttpRequest, HttpResponse};
use crate::auth::Caller;
use crate::telemetry::Metrics;

/// Refuses calls without credentials that would take more than their share.
#[derive(Clone)]
pub(super) struct ShedPublic<D> {
    pub(super) door: D,
    pub(super) metrics: Metrics,
    pub(super) places: Arc<Places>,
}

impl<D: Door> Wrap for ShedPublic<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let method = request.extensions().get::<Call>().and_then(|call| call.method);
        if method.is_none_or(|method| method.access != Access::Public) {
            return pass(request, next).await;
        }
        let Some(_place) = self.places.public() else {
            return self.places.refuse(&self.door, &self.metrics);
        };
        pass(request, next).await
    }
}

/// Refuses a client's calls that would take more than its share. What it checks is known before a body has arrived.
#[derive(Clone)]
pub(super) struct ShedClient<D> {
    pub(super) door: D,
    pub(super) metrics: Metrics,
    pub(super) places: Arc<Places>,
}

impl<D: Door> Wrap for ShedClient<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let Some(client_id) = request.extensions().get::<Caller>().map(|caller| caller.client_id) else {
            return pass(request, next).await;
        };
        let Some(_place) = self.places.of_client(client_id) else {
            return self.places.refuse(&self.door, &self.metrics);
        };
        pass(request, next).await
    }
}

/// How many places each client has taken.
#[derive(Debug)]
pub(super) struct Shares {
    each: u32,
    taken: Mutex<HashMap<Uuid, u32>>,
}

impl Shares {
    /// So many for each client.
    pub(super) fn new(each: u32) -> Self {
        Self { each, taken: Mutex::default() }
    }

    pub(super) fn take(&self, client_id: Uuid) -> Option<Share<'_>> {
        let mut taken = self.lock();
        let count = taken.entry(client_id).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share { shares: self, client_id })
    }

    /// Nothing panics while it is held, and a count is whole at any time.
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's place, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    shares: &'a Shares,
    client_id: Uuid,
}

impl Drop for Share<'_> {
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
    fn a_client_has_its_share_and_leaves_nothing_behind() {
        let shares = Shares::new(1);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let place = shares.take(one).expect("a place");
        assert!(shares.take(one).is_none());
        assert!(shares.take(other).is_some());
        drop(place);
        assert!(shares.take(one).is_some());
        assert!(shares.lock().is_empty());
    }
}
