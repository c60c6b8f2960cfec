//! The contract, asked of the whole service over both doors: on a SQLite file, or on PostgreSQL with
//! `KIRA_TEST_DATABASE_URL`.

mod examples;
#[path = "../harness/mod.rs"]
mod harness;
mod json;
mod support;
mod transport;
mod validation;
