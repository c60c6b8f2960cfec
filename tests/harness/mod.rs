//! What the integration tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "identifiers of a test may be any")]

pub(crate) mod database;
pub(crate) mod requests;
pub(crate) mod service;
