//! The concurrency limits of both protocols, and the responses to what is beyond them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::header::CONNECTION;
use http::{HeaderValue, Version};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::per_client_permits::{PerClientPermits, Permit};
use crate::server::admission::{ByteBudget, Pacing, Rate, Receiving};
use crate::server::connection::Peer;
use crate::server::context::Shed;
use crate::server::message::HttpResponse;
use crate::server::protocol::Protocol;
use crate::telemetry::Metrics;

/// The `Retry-After` of a shed request, in seconds: many requests complete within one.
pub(in crate::server) const RETRY_AFTER: u32 = 1;
/// Responses that are delayed at a time. Those beyond are sent at once and close HTTP/1 connections: a new connection
/// costs the client something, too.
const MAX_DELAYED: usize = 10_000;
/// Bodies that may be arriving, for each permit.
const BODIES_PER_PERMIT: usize = 8;
/// The rate of error responses for all networks together, as a multiple of the rate for one. One response costs some 50
/// microseconds of a core, so by default all of them take a few hundredths of a core.
const NETWORKS: u32 = 10;
/// Responses of calls without credentials: key sets, tokens, acknowledged callbacks.
const PUBLIC_RESPONSES: Rate = Rate { each: 200, all: 2_000 };
/// Responses of gRPC's own services. They have their own rate, so that errors delay no probe.
const GRPC_SYSTEM_RESPONSES: Rate = Rate { each: 200, all: 2_000 };
/// The shortest time between two log lines about shed requests.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// The concurrency limits of both protocols together.
///
/// A request holds its permit until its response. A stream releases it with its headers: the rest is little work at a
/// time, is limited for each client, and may last for days.
#[derive(Debug)]
pub struct ConcurrencyLimits {
    all: Arc<Semaphore>,
    /// Calls without credentials have a quarter of the permits at most, so that they do not block clients.
    public: Arc<Semaphore>,
    /// Each client has half of the permits at most: together with the public calls, it still does not block others.
    clients: PerClientPermits,
    /// Requests without a permit, because their bodies are still arriving.
    receiving: Receiving,
    /// Memory for bodies.
    bytes: Arc<ByteBudget>,
    errors: Pacing,
    public_responses: Pacing,
    grpc_system_responses: Pacing,
    /// Permits of delayed responses.
    delayed: Semaphore,
    unlogged: AtomicU64,
    last_logged: Mutex<Option<Instant>>,
}

impl ConcurrencyLimits {
    /// Limits for `requests` at a time, with memory for `bytes` of their bodies or for one body of `max_body_bytes`. A
    /// network without valid credentials gets `errors` error responses per second.
    #[must_use]
    pub fn new(requests: u32, bytes: u64, max_body_bytes: u64, errors: u32) -> Self {
        let part = |of: u32| Ord::max(requests / of, 1);
        let count = |count: u32| usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS);
        let permits = |number: u32| Arc::new(Semaphore::new(count(number)));
        Self {
            all: permits(requests),
            public: permits(part(4)),
            clients: PerClientPermits::new(part(2)),
            receiving: Receiving::new(count(requests).saturating_mul(BODIES_PER_PERMIT)),
            bytes: Arc::new(ByteBudget::new(bytes, max_body_bytes)),
            errors: Pacing::new(Rate { each: errors, all: errors.saturating_mul(NETWORKS) }),
            public_responses: Pacing::new(PUBLIC_RESPONSES),
            grpc_system_responses: Pacing::new(GRPC_SYSTEM_RESPONSES),
            delayed: Semaphore::new(MAX_DELAYED),
            unlogged: AtomicU64::new(0),
            last_logged: Mutex::new(None),
        }
    }

    /// A permit for a call without credentials, if one is free.
    pub(in crate::server) fn public(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.public).try_acquire_owned().ok()
    }

    /// The next permit for a call without credentials.
    pub(in crate::server) async fn next_public(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.public).acquire_owned().await.ok()
    }

    /// A permit, if one is free.
    pub(in crate::server) fn now(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).try_acquire_owned().ok()
    }

    /// The next permit.
    pub(in crate::server) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Requests whose bodies are arriving.
    pub(in crate::server) const fn receiving(&self) -> &Receiving {
        &self.receiving
    }

    /// Memory for bodies.
    pub(in crate::server) const fn bytes(&self) -> &Arc<ByteBudget> {
        &self.bytes
    }

    /// A permit of this client, if one is free.
    pub(in crate::server) fn of_client(&self, client_id: Uuid) -> Option<Permit> {
        self.clients.take(client_id)
    }

    /// Sheds a request within the stack.
    pub(in crate::server) fn shed<P: Protocol>(&self, protocol: &P, metrics: &Metrics) -> HttpResponse {
        self.record_shed(P::NAME, metrics);
        let mut response = shed_response(protocol);
        response.extensions_mut().insert(Shed);
        response
    }

    /// Counts and logs a shed request.
    pub(in crate::server) fn record_shed(&self, protocol: &'static str, metrics: &Metrics) {
        metrics.shed(protocol);
        self.log_shed();
    }

    /// Delays a response by `time`. When too many are delayed, it is sent at once and closes an HTTP/1 connection.
    pub(in crate::server) async fn delayed(
        &self,
        time: Duration,
        head: &RequestHead,
        mut response: HttpResponse,
    ) -> HttpResponse {
        match self.delayed.try_acquire() {
            Ok(_permit) => {
                head.stop.run_until_cancelled(tokio::time::sleep(time)).await;
            }
            Err(_) if head.version < Version::HTTP_2 => {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Err(_) => {}
        }
        response
    }

    /// The delay of a response to a caller without valid credentials.
    pub(in crate::server) fn pacing_delay(&self, head: &RequestHead, response: &HttpResponse) -> Duration {
        let pacing = match head.is_grpc_system {
            true => &self.grpc_system_responses,
            false if is_error(response) => &self.errors,
            false => &self.public_responses,
        };
        pacing.delay(head.peer, Instant::now())
    }

    fn log_shed(&self) {
        let unlogged = self.unlogged.fetch_add(1, Ordering::Relaxed) + 1;
        // The holder of the lock is about to log.
        let Ok(mut last_logged) = self.last_logged.try_lock() else { return };
        if last_logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *last_logged = Some(Instant::now());
            self.unlogged.fetch_sub(unlogged, Ordering::Relaxed);
            drop(last_logged);
            tracing::warn!(requests = unlogged, "requests shed: the concurrency limit is reached");
        }
    }
}

/// What load shedding knows of a request before and after the rest of the stack.
pub(in crate::server) struct RequestHead {
    pub(in crate::server) peer: Peer,
    pub(in crate::server) version: Version,
    pub(in crate::server) is_grpc_system: bool,
    /// Ends all delays.
    pub(in crate::server) stop: CancellationToken,
}

/// Whether a response is an error, over either protocol.
fn is_error(response: &HttpResponse) -> bool {
    response.status().is_client_error() || response.headers().get("grpc-status").is_some_and(|status| status != "0")
}

/// The response to a shed request.
pub(in crate::server) fn shed_response(protocol: &impl Protocol) -> HttpResponse {
    protocol.error_response(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_without_credentials_have_a_quarter_of_the_permits_and_one_client_has_half() {
        let limits = ConcurrencyLimits::new(8, 1, 1, 1);
        let public: Vec<_> = std::iter::from_fn(|| limits.public()).collect();
        let (client, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let of_client: Vec<_> = std::iter::from_fn(|| limits.of_client(client)).collect();
        assert_eq!((public.len(), of_client.len()), (2, 4));
        assert!(limits.of_client(other).is_some(), "another client has its own half");
        drop((public, of_client));
        assert!(limits.public().is_some() && limits.of_client(client).is_some(), "permits are returned");
    }
}
