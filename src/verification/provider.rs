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

    /// How long one call may take, the reading of files included; one that takes longer is given up, and held against the
    /// case. A provider that waits for another machine has shorter limits of its own, and says itself that it is late.
    fn budget(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// How many bytes of files one call holds at once. So much room is kept for it; of what all cases may take together
    /// a case that needs more gets all.
    fn memory(&self, case: &Case) -> u64 {
        case.file_bytes()
    }
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
    /// What is to be verified cannot be read; the provider is not to blame.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// What an error says, which is what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The provider as a whole: it is left alone for a while, and the case is tried again until its deadline.
    Provider,
    /// Something of ours that will be mended: the case is tried again until its deadline.
    Service,
    /// The case: it is tried again a few times, and others are not its concern. Who sends such a case must not be able to
    /// keep everybody else from being verified.
    Case,
    /// The case, and trying again is of no use.
    CaseForGood,
}

impl ProviderError {
    /// The code that is kept with the job, and is the reason of a review where it comes to that.
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
            Self::Unreadable(Unreadable::Profile) => "profile_unreadable",
            Self::Unreadable(Unreadable::Document) => "document_unreadable",
            Self::Unreadable(Unreadable::NotNow) => "documents_unavailable",
        }
    }

    /// Whom it speaks against.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Unavailable | Self::Timeout => Blame::Provider,
            Self::Unreadable(Unreadable::NotNow) => Blame::Service,
            Self::NotUnderstood | Self::TooComplex | Self::Panicked | Self::Unreadable(_) => Blame::Case,
            Self::Refused | Self::TooLarge => Blame::CaseForGood,
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
            Self::Unreadable(Unreadable::Profile) => "The stored data cannot be read; a person has to decide",
            Self::Unreadable(_) => "A stored document cannot be read; a person has to decide",
        }
    }
}
