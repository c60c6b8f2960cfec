//! The client of Rust (`clients/rust`) against the service.

mod calls;
mod streams;
mod support;
mod trouble;
