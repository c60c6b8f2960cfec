//! What the service does: the calls of the contract, and what the owner of a user is shown of it.

mod failure;
pub mod orphans;
pub mod response;
pub mod tokens;
pub mod users;
mod validation;
