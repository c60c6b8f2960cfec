//! Reviews over both protocols: a SQLite file, or PostgreSQL with `KIRA_TEST_DATABASE_URL`.

mod decisions;
mod roles;
pub(crate) mod support;
