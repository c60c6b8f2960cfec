//! Verification: who judges the users.

pub mod rules;
