//! The trait of verification providers: the sandbox, the offline rules and outside vendors.

use std::time::Duration;

use super::case::{Case, CaseError};
use crate::domain::verification::Outcome;

/// A provider of verifications.
#[tonic::async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The name that is kept with the attempt and shown to clients.
    fn name(&self) -> &'static str;

    /// Starts the verification of a case, or polls its progress: a case that the provider has taken before has the
    /// reference that it gave. It is called again after a crash, so that it must be safe to repeat: the attempt's id
    /// names the request.
    ///
    /// # Errors
    /// Whether and how it is tried again.
    async fn verify(&self, case: &Case) -> Result<ProviderResponse, ProviderError>;

    /// How long one call may take, the reading of files included; one that takes longer times out, and counts as a failure
    /// of the case. A provider that waits for another machine has shorter limits of its own, and says itself that it is late.
    fn budget(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// How many bytes of files one call holds at once. So much room is kept for it; of what all cases may take together
    /// a case that needs more gets all.
    fn memory(&self, case: &Case) -> u64 {
        case.file_bytes()
    }
}

/// A provider's response.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderResponse {
    /// The progress of the verification.
    pub progress: Progress,
    /// The provider's reference of the attempt, if it has one; stored, and passed to later calls.
    pub reference: Option<String>,
    /// The raw response; sealed before it is stored.
    pub raw: Option<Vec<u8>>,
}

impl std::fmt::Debug for ProviderResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderResponse").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl From<Progress> for ProviderResponse {
    fn from(progress: Progress) -> Self {
        Self { progress, reference: None, raw: None }
    }
}

/// The progress of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The provider has decided.
    Decided(Outcome),
    /// A preliminary outcome; the provider may change it, and is polled.
    Provisional {
        /// The preliminary outcome.
        outcome: Outcome,
        /// When to poll.
        poll_after: Duration,
    },
    /// The provider is processing it; it calls back or is polled.
    Pending {
        /// When to poll.
        poll_after: Duration,
    },
}

/// Why a provider call failed.
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
    /// The files are more than it is sent at once.
    #[error("the files are too large to be sent")]
    TooLarge,
    /// Its answer to this case makes no sense, is too long, or is about another one.
    #[error("the provider's answer is not understood")]
    NotUnderstood,
    /// The case took longer than the provider's budget.
    #[error("the case takes too long")]
    TooComplex,
    /// The provider has a bug that this case meets.
    #[error("the provider panicked")]
    Panicked,
    /// What is to be verified cannot be read; the failure is not the provider's.
    #[error(transparent)]
    Unreadable(#[from] CaseError),
}

/// What a failure applies to, which determines the retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureScope {
    /// The provider: the circuit may open, and the case is retried until its deadline.
    Provider,
    /// This service: the case is retried until its deadline.
    Service,
    /// The case: it is retried a few times and does not open the circuit, so that a client that sends such cases cannot
    /// keep other users from being verified.
    Case,
    /// The case, and a retry cannot succeed.
    CaseForGood,
}

impl ProviderError {
    /// The code that is stored with the job, and is the reason of a review if the case ends in one.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable => "provider_unavailable",
            Self::Timeout => "provider_timeout",
            Self::Refused => "provider_refused",
            Self::TooLarge => "files_too_large",
            Self::NotUnderstood => "provider_not_understood",
            Self::TooComplex => "too_complex",
            Self::Panicked => "provider_panicked",
            Self::Unreadable(CaseError::Profile) => "profile_unreadable",
            Self::Unreadable(CaseError::Document) => "document_unreadable",
            Self::Unreadable(CaseError::Unavailable) => "documents_unavailable",
        }
    }

    /// What the failure applies to.
    #[must_use]
    pub const fn scope(&self) -> FailureScope {
        match self {
            Self::Unavailable | Self::Timeout => FailureScope::Provider,
            Self::Unreadable(CaseError::Unavailable) => FailureScope::Service,
            Self::NotUnderstood | Self::TooComplex | Self::Panicked | Self::Unreadable(_) => FailureScope::Case,
            Self::Refused | Self::TooLarge => FailureScope::CaseForGood,
        }
    }

    /// Why a person has to decide, where trying again is of no use any more.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Unavailable | Self::Timeout => "The verification provider does not answer; a person has to decide",
            Self::Refused => "The verification provider did not take the case; a person has to decide",
            Self::TooLarge => "The files are too large for the verification provider; a person has to decide",
            Self::NotUnderstood => "The verification provider's answer is not understood; a person has to decide",
            Self::TooComplex => "The case takes too long to be verified; a person has to decide",
            Self::Panicked => "The verification failed; a person has to decide",
            Self::Unreadable(CaseError::Profile) => "The stored data cannot be read; a person has to decide",
            Self::Unreadable(_) => "A stored document cannot be read; a person has to decide",
        }
    }
}
