//! How many requests the doors have refused to protect the service, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::door::{Door, GrpcDoor, RestDoor};

/// What both doors have refused since the start.
#[derive(Debug, Default)]
pub struct Refused {
    /// At the REST door.
    pub rest: RefusedAtDoor,
    /// At the gRPC door.
    pub grpc: RefusedAtDoor,
}

/// What one door has refused since the start.
#[derive(Debug, Default)]
pub struct RefusedAtDoor {
    shed: AtomicU64,
    rate_limited: AtomicU64,
}

impl Refused {
    pub(super) fn at<D: Door>(&self) -> &RefusedAtDoor {
        debug_assert!([RestDoor::NAME, GrpcDoor::NAME].contains(&D::NAME), "there are two doors");
        if D::NAME == GrpcDoor::NAME { &self.grpc } else { &self.rest }
    }
}

impl RefusedAtDoor {
    /// Requests beyond what is worked at, at a time.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Requests beyond their client's rate.
    #[must_use]
    pub fn rate_limited(&self) -> u64 {
        self.rate_limited.load(Ordering::Relaxed)
    }

    pub(super) fn count_shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }
}
