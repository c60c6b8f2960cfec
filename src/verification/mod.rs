//! Verification in the background: a worker claims jobs, asks a provider with no transaction open, and settles.

pub mod circuit;
pub mod overdue;
pub mod provider;
pub mod rules;
pub mod sandbox;
pub mod vendor;
pub mod worker;

mod case;
mod in_progress;
mod memory;

pub use case::{Case, CaseError};
pub use provider::{FailureScope, Progress, Provider, ProviderError, ProviderResponse};
pub use sandbox::Sandbox;
pub use worker::{Worker, WorkerDeps};
