//! Completing and changing a user, asked of the whole service over both protocols: on a SQLite file, or on PostgreSQL with
//! `KIRA_TEST_DATABASE_URL`.

mod completing;
mod conditions;
mod dry_run;
mod elements;
mod fields;
mod idempotency;
mod kinds;
mod reverification;
pub(crate) mod support;
mod whole_lists;
mod writing_back;
