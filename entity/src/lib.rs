//! The tables as sea-orm entities, one file each. Nothing but `store` uses them.

pub mod client;
pub mod client_credential;
pub mod counter;
pub mod discarded_object;
pub mod document;
pub mod event;
pub mod idempotency_key;
pub mod job;
pub mod review_step;
pub mod secret;
pub mod signing_key;
pub mod user;
pub mod verification_attempt;
pub mod watermark;
pub mod webhook_attempt;
pub mod webhook_delivery;
pub mod webhook_endpoint;
