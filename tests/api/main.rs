//! The contract, asked of the whole service over both doors: on a SQLite file, or on PostgreSQL with
//! `KIRA_TEST_DATABASE_URL`.

#![allow(clippy::disallowed_methods, reason = "idempotency keys of a test may be any")]

mod examples;
#[path = "../harness/mod.rs"]
mod harness;
mod json;
mod support;
mod transport;
mod validation;
