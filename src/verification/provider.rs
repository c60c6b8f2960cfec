//! What verifies users: one trait for the sandbox, the offline checks and outside vendors.

use std::time::Duration;

use super::case::{Case, Unreadable};
use crate::domain::verification::Outcome;

/// Something that verifies users.
#[tonic::async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The name that is kept with the attempt and shown to clients.
    fn name(&self) -> &'static str;

    /// Begins the verification of a case, or asks how it stands: a case that the provider has taken before has the
    /// reference that it gave. It is called again after a crash, so that it must be safe to repeat: the attempt's id
    /// names the request.
    ///
    /// # Errors
    /// Whether and how it is tried again.
    async fn verify(&self, case: &Case) -> Result<Answer, ProviderError>;
}

/// What a provider answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Where the verification stands.
    pub verdict: Verdict,
    /// What the provider calls the attempt, where it has a name of its own for it; kept, and given back with the case.
    pub reference: Option<String>,
    /// The answer as it came; sealed before it is kept.
    pub raw: Option<Vec<u8>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, reference: None, raw: None }
    }
}

/// Where a verification stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The provider is done.
    Decided(Outcome),
    /// Such is the outcome for now; the provider may change it, and is asked again.
    Provisional {
        /// The outcome for now.
        outcome: Outcome,
        /// When to ask again.
        poll_after: Duration,
    },
    /// The provider is at it; it calls back or is asked again.
    Pending {
        /// When to ask again.
        poll_after: Duration,
    },
}

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be reached, or says that it cannot work now.
    #[error("the provider is unavailable")]
    Unavailable,
    /// It does not answer in time.
    #[error("the provider does not answer in time")]
    Timeout,
    /// It will not verify this case, now or later: a person has to decide.
    #[error("the provider refuses the case")]
    Refused,
    /// What is to be verified cannot be read; the provider is not to blame.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl ProviderError {
    /// The code that is kept with the job.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable => "provider_unavailable",
            Self::Timeout => "provider_timeout",
            Self::Refused => "provider_refused",
            Self::Unreadable(Unreadable::Profile) => "profile_unreadable",
            Self::Unreadable(Unreadable::Document) => "document_unreadable",
        }
    }

    /// Whether it speaks against the provider as a whole, not against one case.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout)
    }
}
