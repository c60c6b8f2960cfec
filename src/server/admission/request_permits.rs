//! The permits of one request, and its body. A request holds no permit while its body arrives, so that slow clients do not
//! block others.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;
use uuid::Uuid;

use crate::per_client_permits::Permit;
use crate::server::admission::byte_budget::ReservedBytes;
use crate::server::admission::receiving::ArrivingBody;
use crate::server::admission::{CallerKey, ConcurrencyLimits, RETRY_AFTER};
use crate::server::connection::Peer;
use crate::telemetry::Metrics;

/// How long a request waits for its permit after its body has arrived.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// The permits of one request; an extension of the request. Clones are the same ones.
#[derive(Clone, Debug)]
pub(in crate::server) struct RequestPermits {
    limits: Arc<ConcurrencyLimits>,
    peer: Peer,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    of_all: Option<OwnedSemaphorePermit>,
    of_public: Option<OwnedSemaphorePermit>,
    of_client: Option<Permit>,
    bytes: Option<ReservedBytes>,
    /// Whether the call needs no credentials.
    is_public: bool,
    client_id: Option<Uuid>,
    /// Whether there was no memory for the body, or no permit once it had arrived.
    is_shed: bool,
    /// Whether the request is complete.
    is_complete: bool,
}

impl RequestPermits {
    /// The permits of a request from `peer`, which starts with a permit of all requests.
    pub(in crate::server) fn new(
        limits: Arc<ConcurrencyLimits>,
        peer: Peer,
        of_all: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { limits, peer, state: Arc::new(Mutex::new(State { of_all, ..State::default() })) }
    }

    /// Takes a permit for a call without credentials; false if none is free.
    pub(in crate::server) fn take_public(&self) -> bool {
        let of_public = self.limits.public();
        let mut state = self.lock();
        state.is_public = true;
        state.of_public = of_public;
        state.of_public.is_some()
    }

    /// Takes a permit of an authenticated client; false if none is free.
    pub(in crate::server) fn take_of_client(&self, client_id: Uuid) -> bool {
        let of_client = self.limits.of_client(client_id);
        let mut state = self.lock();
        state.client_id = Some(client_id);
        state.of_client = of_client;
        state.of_client.is_some()
    }

    /// Whether the caller is an authenticated client.
    pub(in crate::server) fn is_of_client(&self) -> bool {
        self.lock().client_id.is_some()
    }

    /// Whether the request was shed while its body arrived.
    pub(in crate::server) fn is_shed(&self) -> bool {
        self.lock().is_shed
    }

    /// Counts and logs that the request was shed.
    pub(in crate::server) fn record_shed(&self, protocol: &'static str, metrics: &Metrics) {
        self.limits.record_shed(protocol, metrics);
    }

    /// Releases everything: the request is complete.
    pub(in crate::server) fn end(&self) {
        let ended = std::mem::replace(&mut *self.lock(), State { is_complete: true, ..State::default() });
        drop(ended);
    }

    /// Wraps `body`: the permits are released while the service waits for it.
    pub(in crate::server) fn receive(&self, body: tonic::body::Body) -> tonic::body::Body {
        tonic::body::Body::new(ReceivedBody {
            body,
            permits: self.clone(),
            stage: Stage::Ready,
            reserved: 0,
            received: 0,
        })
    }

    fn caller_key(&self) -> CallerKey {
        self.lock().client_id.map_or(CallerKey::Network(self.peer), CallerKey::Client)
    }

    /// Releases the permits until the body has arrived.
    fn release(&self) {
        let mut state = self.lock();
        let permits = (state.of_all.take(), state.of_public.take(), state.of_client.take());
        drop(state);
        drop(permits);
    }

    /// Takes the permits again; false if they are not free in time.
    async fn reacquire(self) -> bool {
        let (is_public, client_id) = {
            let state = self.lock();
            (state.is_public, state.client_id)
        };
        let of_client = client_id.map(|client_id| self.limits.of_client(client_id));
        if of_client.as_ref().is_some_and(Option::is_none) {
            return false;
        }
        let taken = tokio::time::timeout(PERMIT_TIMEOUT, async {
            let of_public = if is_public { Some(self.limits.next_public().await?) } else { None };
            Some((of_public, self.limits.next().await?))
        });
        let Ok(Some((of_public, of_all))) = taken.await else { return false };
        let mut state = self.lock();
        if !state.is_complete {
            *state = State {
                of_all: Some(of_all),
                of_public,
                of_client: of_client.flatten(),
                bytes: state.bytes.take(),
                ..*state
            };
        }
        true
    }

    /// Reserves memory for `bytes` more of the body; false if that exceeds a limit.
    fn reserve(&self, bytes: u64) -> bool {
        let caller = self.caller_key();
        let mut state = self.lock();
        if state.is_complete {
            return true;
        }
        match &mut state.bytes {
            Some(reserved) => reserved.grow(bytes),
            None => {
                state.bytes = self.limits.bytes().reserve(caller, bytes);
                state.bytes.is_some()
            }
        }
    }

    /// Marks the request as shed. Returns its error.
    fn shed(&self) -> Status {
        self.lock().is_shed = true;
        error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER)
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request body.
struct ReceivedBody {
    body: tonic::body::Body,
    permits: RequestPermits,
    stage: Stage,
    /// Bytes of memory that are reserved.
    reserved: u64,
    /// Bytes that have arrived.
    received: u64,
}

enum Stage {
    /// The service has not had to wait yet, or the body is complete; the permits are held.
    Ready,
    /// The service waits for more; the permits are released.
    Arriving(ArrivingBody),
    /// The body is complete; its last frame waits for the permits.
    Reacquiring(Pin<Box<dyn Future<Output = bool> + Send>>, Option<LastFrame>),
}

type LastFrame = Option<Result<Frame<Bytes>, Status>>;

impl ReceivedBody {
    /// Reserves memory for what has arrived, and at first for the announced size.
    fn reserve(&mut self, arrived: u64) -> Result<(), Status> {
        self.received += arrived;
        let announced = if self.reserved == 0 { self.body.size_hint().lower() } else { 0 };
        let required = Ord::max(self.received, announced);
        let more = required.saturating_sub(self.reserved);
        if more > 0 && !self.permits.reserve(more) {
            return Err(self.permits.shed());
        }
        self.reserved = Ord::max(self.reserved, required);
        Ok(())
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Stage::Reacquiring(permits, last) = &mut self.stage {
            let has_permits = ready!(permits.as_mut().poll(cx));
            let last = last.take().flatten();
            self.stage = Stage::Ready;
            return Poll::Ready(if has_permits { last } else { Some(Err(self.permits.shed())) });
        }
        if self.reserved == 0 && !self.body.is_end_stream() {
            self.reserve(0)?;
        }
        if let Stage::Arriving(arriving) = &self.stage
            && arriving.poll_aborted(cx)
        {
            self.stage = Stage::Ready;
            return Poll::Ready(Some(Err(error::with_reason(ErrorReason::RequestTimeout))));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            if matches!(self.stage, Stage::Ready) {
                self.permits.release();
                let arriving = self.permits.limits.receiving().begin(self.permits.caller_key());
                // Registers the waker; a new body has not ended.
                arriving.poll_aborted(cx);
                self.stage = Stage::Arriving(arriving);
            }
            return Poll::Pending;
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let length = data.len() as u64;
            self.reserve(length)?;
        }
        let is_last = frame.as_ref().is_none_or(Result::is_err) || self.body.is_end_stream();
        if !is_last || matches!(self.stage, Stage::Ready) {
            return Poll::Ready(frame);
        }
        self.stage = Stage::Reacquiring(Box::pin(self.permits.clone().reacquire()), Some(frame));
        self.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self.stage, Stage::Reacquiring(..)) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.stage {
            // The inner body is at its end, but its last frame is not yet delivered.
            Stage::Reacquiring(..) => SizeHint::default(),
            _ => self.body.size_hint(),
        }
    }
}
