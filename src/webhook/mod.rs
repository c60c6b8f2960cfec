//! Webhooks: from the outbox to the endpoints of clients (decisions, section 8).
//!
//! The [`Sender`] relays events to deliveries and sends those that are due; the [`guard`] decides which addresses are allowed, the
//! [`signature`] proves the origin. [`message`] has the bodies, [`schedule`] the retries, [`retention`] how long a delivery
//! is kept.

mod client;
pub mod guard;
mod in_flight;
pub mod message;
mod pace;
pub mod retention;
pub mod schedule;
pub mod sealing;
mod sender;
pub mod signature;

pub use client::{Client, Lookup, Reply, ResolvedAddresses, SystemLookup};
pub use sender::{Sender, SenderDeps, SenderHealth};
