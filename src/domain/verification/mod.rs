//! What a verification attempt is: what starts it, where it stands, why it ended as it did (decisions, section 6).

mod machine;

use serde::{Deserialize, Serialize};

pub use machine::{EventKind, Input, NotAllowed, Standing, Transition, transition};

/// What starts an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A create that brought all that automatic verification needs.
    Create,
    /// A change that completed the set, or changed what the last attempt judged.
    Update,
    /// An explicit request.
    Request,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Request];

    /// The text that the database uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Request => "request",
        }
    }
}

/// A text that names no trigger, state or assurance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a word of verification")]
pub struct UnknownWord;

impl std::str::FromStr for Trigger {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == text).ok_or(UnknownWord)
    }
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// No worker has taken it up yet.
    Pending,
    /// The provider is at it.
    Running,
    /// A human has to decide.
    Review,
    /// Ended: the user is verified.
    Verified,
    /// Ended: the user is refused.
    Rejected,
    /// Ended without an outcome that counts: a newer attempt took its place.
    Superseded,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Review, Self::Verified, Self::Rejected, Self::Superseded];

    /// The text that the database uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Review => "review",
            Self::Verified => "verified",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
        }
    }

    /// Whether nothing can change it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Verified | Self::Rejected | Self::Superseded)
    }
}

impl std::str::FromStr for AttemptState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownWord)
    }
}

/// What an outcome proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assurance {
    /// Nothing: the sandbox plays an outcome.
    Simulated,
    /// The data is consistent with itself; nobody's identity was looked at.
    DataConsistency,
    /// A vendor has looked at the identity.
    Identity,
    /// A human of the operator has decided.
    ManualReview,
}

impl Assurance {
    /// Every assurance.
    pub const ALL: [Self; 4] = [Self::Simulated, Self::DataConsistency, Self::Identity, Self::ManualReview];

    /// The text that the database uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::DataConsistency => "data_consistency",
            Self::Identity => "identity",
            Self::ManualReview => "manual_review",
        }
    }
}

impl std::str::FromStr for Assurance {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|assurance| assurance.as_str() == text).ok_or(UnknownWord)
    }
}

/// What was found out about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The user is who it says it is.
    Verified,
    /// The user is refused.
    Rejected,
    /// A human has to decide.
    Review,
}

/// How an attempt ended, for now (REVIEW) or for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was found out.
    pub decision: Decision,
    /// What it proves.
    pub assurance: Assurance,
    /// Why: never empty for REJECTED and REVIEW, by the constructors.
    pub reasons: Vec<Reason>,
}

impl Outcome {
    /// A good outcome.
    #[must_use]
    pub const fn verified(assurance: Assurance) -> Self {
        Self { decision: Decision::Verified, assurance, reasons: Vec::new() }
    }

    /// A refusal, with its first reason.
    #[must_use]
    pub fn rejected(assurance: Assurance, reason: Reason) -> Self {
        Self { decision: Decision::Rejected, assurance, reasons: vec![reason] }
    }

    /// A human has to decide; with the first reason.
    #[must_use]
    pub fn review(assurance: Assurance, reason: Reason) -> Self {
        Self { decision: Decision::Review, assurance, reasons: vec![reason] }
    }
}

/// Why an attempt ended as it did, in words for the client. Never holds a value of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Machine code, lower case with underscores.
    pub code: String,
    /// One clear sentence.
    pub message: String,
    /// The field of the request that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Reason {
    /// A reason that is about no single field.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), path: None }
    }

    /// An attempt that had no outcome by its deadline.
    #[must_use]
    pub fn overdue() -> Self {
        Self::new("verification_timeout", "The verification had no outcome in time; a person has to decide")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_from_its_text() {
        assert!(Trigger::ALL.into_iter().all(|word| word.as_str().parse() == Ok(word)));
        assert!(AttemptState::ALL.into_iter().all(|word| word.as_str().parse() == Ok(word)));
        assert!(Assurance::ALL.into_iter().all(|word| word.as_str().parse() == Ok(word)));
        assert_eq!("VERIFIED".parse::<AttemptState>(), Err(UnknownWord));
    }
}
