//! The pure rules: what a user must bring, which products it gets, where it stands.
//!
//! Nothing here knows the contract, the database or the network, so every rule can be read and tested alone.

pub mod changes;
pub mod checks;
pub mod eligibility;
pub mod requirements;
pub mod review;
pub mod status;
pub mod verification;
