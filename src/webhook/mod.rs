//! Webhooks: from the outbox to the endpoints of clients (decisions, section 8).
//!
//! The [`Sender`] relays events to deliveries and sends those that are due; the [`guard`] decides where they may go, the
//! [`signature`] proves where they come from. What is sent is in [`message`], when it is sent again in [`schedule`], how
//! long a record of it stays in [`retention`].

mod client;
pub mod guard;
pub mod message;
pub mod retention;
pub mod schedule;
pub mod sealing;
mod sender;
pub mod signature;

pub use client::{Client, Found, Lookup, Reply, SystemLookup};
pub use sender::{Parts, Sender, SenderHealth};

/// What is told besides the events of users: an endpoint of the client is disabled.
pub const ENDPOINT_DISABLED: &str = "webhook.endpoint.disabled";
/// What a client sends itself to try an endpoint.
pub const TEST: &str = "webhook.test";
