//! The store on a real database: a SQLite file, or PostgreSQL with `KIRA_TEST_DATABASE_URL`.

mod broken_rows;
mod clients;
mod creation;
#[path = "../harness/mod.rs"]
mod harness;
mod keys;
mod orphans;
mod sample;
mod schema;
mod sealing;
mod unavailable;
mod updates;
mod verification;
