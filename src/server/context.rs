//! What the layers of one request pass to each other, besides the request and the response themselves.
//!
//! Inwards, as extensions of the request: [`Peer`](crate::server::connection::Peer),
//! [`RequestPermits`](crate::server::admission::RequestPermits), [`OverGrpcWeb`], [`Call`] and
//! [`Caller`](crate::auth::Caller).
//! Outwards, through [`RequestContext`], and as the markers of a response [`Shed`] and [`Streaming`].

use std::sync::{Arc, OnceLock};

use crate::server::middleware::rate_limit::Allowance;
use crate::server::protocol::Call;

/// What inner layers find out about a request and outer layers report, whichever layer answers. An extension of the
/// request; clones share their state. Each value is set once, by the layer that its setter names.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct RequestContext(Arc<Values>);

#[derive(Debug, Default)]
struct Values {
    call: OnceLock<Call>,
    allowance: OnceLock<Allowance>,
}

impl RequestContext {
    /// Set by `ResolveMethod`. A later value is ignored.
    pub(in crate::server) fn set_call(&self, call: Call) {
        let _ = self.0.call.set(call);
    }

    /// The call that the request makes, once it is known. For `RequestTelemetry`.
    pub(in crate::server) fn call(&self) -> Option<Call> {
        self.0.call.get().copied()
    }

    /// Set by `RateLimit`. A later value is ignored.
    pub(in crate::server) fn set_allowance(&self, allowance: Allowance) {
        let _ = self.0.allowance.set(allowance);
    }

    /// The remaining allowance of the client, once the client is known. For `RateLimitHeaders`.
    pub(in crate::server) fn allowance(&self) -> Option<&Allowance> {
        self.0.allowance.get()
    }
}

/// Marks the response to a request that was shed. Load shedding counts and logs it; `RequestTelemetry` does not.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Shed;

/// Marks a response whose body is a stream of events, which a client may read at any rate.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Streaming;

/// Marks a request over gRPC-Web: it may come from outside of the cluster.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct OverGrpcWeb;
