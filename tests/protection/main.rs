//! What protects the doors: TLS, limits, rates, and whose pages may call.

#![allow(clippy::disallowed_methods, reason = "the rule is for the service: a test draws keys as callers do")]

mod certificates;
mod cors;
mod files;
#[path = "../harness/mod.rs"]
mod harness;
mod mutual;
mod overload;
mod rates;
#[path = "../api/support/raw.rs"]
#[allow(dead_code, reason = "the answers can tell more than this binary asks")]
mod raw;
mod tls;
