//! Verification: who judges the users, and what comes of a judgement.

pub mod rules;
mod transition;

pub use transition::decided;
