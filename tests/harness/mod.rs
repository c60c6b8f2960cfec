//! What the integration tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "the rule is for the service: a test draws keys as callers do")]

pub(crate) mod database;
pub(crate) mod proxy;
pub(crate) mod requests;
pub(crate) mod service;
