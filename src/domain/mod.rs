//! The pure rules: required fields, product eligibility, consistency checks, and the state machine of verification.
//!
//! Nothing here knows the contract, the database or the network, so every rule can be read and tested alone.

pub mod change_impact;
pub mod checks;
pub mod eligibility;
pub mod erasure;
pub mod event;
pub mod history;
pub mod lookup;
pub mod requirements;
pub mod review;
pub mod status;
pub mod user_type;
pub mod verification;
pub mod writing;
