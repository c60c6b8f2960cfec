//! One connection: its bytes, timeouts and limits, below its requests.

mod bare_error;
mod frame_budget;
pub(in crate::server) mod io_timeouts;
mod networks;
mod peer;
pub(in crate::server) mod requests_in_flight;
mod unread_body;
pub(in crate::server) mod unsent_responses;

pub(super) use self::bare_error::BareErrors;
pub(super) use self::frame_budget::FrameBudget;
pub(super) use self::networks::Networks;
pub(super) use self::peer::Peer;
pub(super) use self::unread_body::UnreadBody;
