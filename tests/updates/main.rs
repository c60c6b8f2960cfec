//! Completing and changing a user, asked of the whole service over both doors: on a SQLite file, or on PostgreSQL with
//! `KIRA_TEST_DATABASE_URL`.

#![allow(clippy::disallowed_methods, reason = "idempotency keys of a test may be any")]

mod completing;
mod conditions;
mod dry_run;
mod elements;
mod fields;
#[path = "../harness/mod.rs"]
mod harness;
mod kinds;
mod reverification;
mod support;
