//! Client of kira-users over gRPC.
//!
//! The messages and calls are those of the contract ([`v1`]), generated when this crate is built. What a generator does not
//! know is written by hand: tokens, idempotency keys, retries, [errors with reasons](Error), lists and events as streams,
//! and [signatures of webhooks](webhook).
//!
//! ```no_run
//! use kira_users_client::{Client, v1};
//!
//! # async fn example() -> Result<(), kira_users_client::Error> {
//! let kira = Client::builder("https://users.example.com:50051")
//!     .credentials("6f0c2a52-8d0b-4c53-9a0e-0b1d2f3a4c5d", "the password", "the API key")
//!     .connect()?;
//! let individual = v1::Individual {
//!     email: Some("ada@example.com".to_owned()),
//!     first_name: Some("Ada".to_owned()),
//!     last_name: Some("Lovelace".to_owned()),
//!     ..Default::default()
//! };
//! let user = v1::create_user_request::User::Individual(individual);
//! let request = v1::CreateUserRequest { user: Some(user), ..Default::default() };
//! let created = kira.users().create_user(request).await?.into_inner();
//! # Ok(())
//! # }
//! ```
//!
//! A call that changes something gets an idempotency key, the same at each of its repetitions, unless the request has one.
//! Give one of your own, and keep it, where your process may end before the answer comes.

mod calls;
mod channel;
mod client;
mod error;
mod file;
mod lists;
mod retry;
mod token;
pub mod webhook;

#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "generated"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

pub use bytes::Bytes;
pub use channel::KiraChannel;
pub use client::{Builder, Client};
pub use error::{Error, Violation};
pub use file::{UnknownContent, document, file};
pub use generated::kira::api::v1::ErrorReason;
pub use generated::kira::users::v1;
pub use lists::List;
pub use prost_types::{Struct, Timestamp, Value, value};
pub use tonic::{Code, Request};
