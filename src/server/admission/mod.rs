//! Admission control: permits, memory for bodies, and the pace of responses to unauthenticated callers.

mod byte_budget;
mod concurrency_limits;
mod log_sampling;
mod pacing;
mod receiving;
mod request_permits;

use uuid::Uuid;

use crate::server::connection::Peer;

pub(super) use self::byte_budget::ByteBudget;
pub use self::concurrency_limits::ConcurrencyLimits;
pub(super) use self::concurrency_limits::{RETRY_AFTER, RequestHead, shed_response};
pub(super) use self::log_sampling::LogSampling;
pub(super) use self::pacing::{Pacing, Rate};
pub(super) use self::receiving::Receiving;
pub(super) use self::request_permits::RequestPermits;

/// The caller that limits are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CallerKey {
    /// An unauthenticated caller, by its network.
    Network(Peer),
    /// An authenticated client.
    Client(Uuid),
}
