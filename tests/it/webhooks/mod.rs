//! Webhooks from the change of a user to a receiver that misbehaves: through both protocols, with a sender that the test drives.

mod delivery;
mod endpoints;
mod fairness;
mod guard;
mod kills;
mod once;
mod order;
mod pages;
mod queues;
mod replay;
mod replays;
mod retention;
pub(crate) mod support;
