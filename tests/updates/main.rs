//! Completing and changing a user, asked of the whole service over both doors: on a SQLite file, or on PostgreSQL with
//! `KIRA_TEST_DATABASE_URL`.

#![allow(clippy::disallowed_methods, reason = "idempotency keys of a test may be any")]

mod dry_run;
#[path = "../harness/mod.rs"]
mod harness;
mod support;
