//! The store on a real database: a SQLite file, or PostgreSQL with `KIRA_TEST_DATABASE_URL`.

mod broken_rows;
mod cancellation;
mod clients;
mod creation;
mod keys;
mod orphans;
mod partitions;
mod sample;
mod schema;
mod sealing;
mod transactions;
mod unavailable;
mod updates;
mod verification;
