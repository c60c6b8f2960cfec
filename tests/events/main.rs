//! Events over both doors: a SQLite file, or PostgreSQL with `KIRA_TEST_DATABASE_URL`.

#![allow(clippy::disallowed_methods, reason = "the rule is for the service: a test draws keys as callers do")]

#[path = "../harness/mod.rs"]
mod harness;
mod list;
mod order;
mod stream;
mod support;
mod watch;
