//! The contract, asked of the whole service over both protocols: on a SQLite file, or on PostgreSQL with
//! `KIRA_TEST_DATABASE_URL`.

mod batch;
mod examples;
mod history;
mod json;
mod requirements;
mod support;
mod transport;
mod validation;
