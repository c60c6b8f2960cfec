//! Verification of users: what looks at a stored user and says what becomes of it.

pub mod rules;
