//! What the service does: the calls of the contract, and what the owner of a user is shown of it.

pub mod callbacks;
mod failure;
pub mod orphans;
pub mod response;
pub mod reviews;
pub mod tokens;
pub mod users;
pub mod verifications;
