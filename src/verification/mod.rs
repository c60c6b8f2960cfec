//! Verification in the background: a worker claims jobs, asks a provider with no transaction open, and settles.

pub mod circuit;
pub mod overdue;
pub mod provider;
pub mod rules;
pub mod sandbox;
pub mod vendor;
pub mod worker;

mod case;
mod memory;
mod under_way;

pub use case::{Case, Unreadable};
pub use provider::{Answer, Blame, Provider, ProviderError, Verdict};
pub use sandbox::Sandbox;
pub use worker::{Parts, Worker};
