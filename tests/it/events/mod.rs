//! Events over both protocols: a SQLite file, or PostgreSQL with `KIRA_TEST_DATABASE_URL`.

mod archive;
mod list;
mod order;
mod servers;
mod stream;
pub(crate) mod support;
mod watch;
