//! Consistency checks.

pub mod identifiers;
