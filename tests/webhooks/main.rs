//! Webhooks from the change of a user to a receiver that misbehaves: through the doors, with a sender that the test drives.

mod delivery;
mod endpoints;
mod guard;
#[path = "../harness/mod.rs"]
mod harness;
mod kills;
mod order;
mod queues;
mod receiver;
mod replay;
mod retention;
mod support;
