//! The tables as sea-orm entities, one file each. Only `store` uses them.

pub mod client;
pub mod client_credential;
pub mod document;
pub mod event;
pub mod event_archive;
pub mod event_cursor;
pub mod external_id;
pub mod idempotency_key;
pub mod index_rebuild;
pub mod job;
pub mod object_to_delete;
pub mod outbox;
pub mod review_step;
pub mod secret;
pub mod signing_key;
pub mod user;
pub mod user_count;
pub mod user_count_change;
pub mod user_history;
pub mod user_index;
pub mod verification_attempt;
pub mod watermark;
pub mod webhook_attempt;
pub mod webhook_delivery;
pub mod webhook_endpoint;
pub mod webhook_replay;
