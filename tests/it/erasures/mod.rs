//! The end of a user: erasure with a certificate, legal holds, retention, and what a restore brings back.

mod erase;
mod holds;
mod restore;
mod retention;
mod support;
mod webhooks;
