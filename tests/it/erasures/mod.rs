//! The end of a user: erasure with a certificate, legal holds, retention, and what a restore brings back.

mod erase;
mod holds;
mod restore;
mod retention;
pub(crate) mod support;
mod webhooks;
