//! The integration tests: one binary, a module for each suite, one harness. They run on SQLite, or on PostgreSQL with
//! `KIRA_TEST_DATABASE_URL`. A filter selects a suite: `cargo test --test it store::`.

#![allow(clippy::disallowed_methods, reason = "the rule is for the service: a test draws keys as callers do")]

mod api;
mod docs;
mod documents;
mod elements;
mod erasures;
mod events;
mod faults;
mod harness;
mod lookup;
mod program;
mod promises;
mod protection;
mod reviews;
mod rust_client;
mod scale;
#[cfg(feature = "sinks")]
mod sinks;
mod store;
mod updates;
mod upgrades;
mod verification;
mod webhooks;
