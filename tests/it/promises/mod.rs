//! The promises of the service, kept over both protocols: a SQLite file, or PostgreSQL with `KIRA_TEST_DATABASE_URL`.

mod authentication;
mod changing_calls;
mod credentials;
mod idempotency;
mod idempotency_keys;
mod installation;
mod isolation;
mod issuer;
mod keys;
mod levels;
mod log;
mod neighbours;
mod outage;
mod pooler;
mod rotation;
mod sealing;
mod signing_keys;
mod stop;
pub(crate) mod support;
