//! The promises of the service, kept over both doors: a SQLite file, or PostgreSQL with `KIRA_TEST_DATABASE_URL`.

#![allow(clippy::disallowed_methods, reason = "the rule is for the service: a test draws keys as callers do")]

mod authentication;
mod credentials;
#[path = "../harness/mod.rs"]
mod harness;
mod idempotency;
mod idempotency_keys;
mod installation;
mod isolation;
mod issuer;
mod keys;
mod log;
mod outage;
mod sealing;
mod signing_keys;
mod stop;
mod support;
