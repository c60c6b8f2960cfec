//! What the service does: the calls of the contract, and what the owner of a user is shown of it.

mod batch;
pub mod callbacks;
pub mod convert;
mod discarded;
pub mod documents;
pub mod elements;
pub mod erasures;
mod etag;
pub mod events;
pub mod export;
mod failure;
pub mod history;
mod idempotency;
pub mod lookup;
pub mod master_keys;
pub mod orphans;
mod request;
mod requirements;
pub mod reviews;
pub mod tokens;
pub mod turns;
mod updates;
pub mod users;
mod validation;
pub mod verifications;
pub mod webhooks;
