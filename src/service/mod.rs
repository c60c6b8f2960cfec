//! What the service does: the calls of the contract, and what the owner of a user is shown of it.

pub mod callbacks;
mod discarded;
mod etag;
pub mod events;
mod failure;
pub mod orphans;
mod request;
pub mod response;
pub mod reviews;
pub mod tokens;
mod updates;
pub mod users;
mod validation;
pub mod verifications;
pub mod webhooks;
