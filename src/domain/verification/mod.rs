//! Verification attempts: their triggers, states and outcomes (decisions, section 6).

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

mod machine;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use machine::{NotAllowed, State, Stimulus, Transition, transition};

/// What starts an attempt. The texts are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Trigger {
    /// A create with everything that automatic verification needs.
    Create,
    /// A change that completed the data, or invalidated what the last attempt judged.
    Update,
    /// An explicit request.
    Request,
}

/// The state of an attempt. The texts are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum AttemptState {
    /// Queued: no worker has claimed it yet.
    Pending,
    /// The provider is processing it.
    Running,
    /// A person has to decide.
    Review,
    /// Final: the user is verified.
    Verified,
    /// Final: the user is rejected.
    Rejected,
    /// Final, without an outcome that counts: a newer attempt replaced it.
    Superseded,
}

impl AttemptState {
    /// Whether nothing can change the attempt any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Verified | Self::Rejected | Self::Superseded)
    }
}

/// What an outcome proves. The texts are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Assurance {
    /// Nothing: the sandbox simulates an outcome.
    Simulated,
    /// The data is consistent; the identity was not checked.
    DataConsistency,
    /// A vendor has checked the identity.
    Identity,
    /// A reviewer of the operator has decided.
    ManualReview,
}

/// What an attempt decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The user is verified.
    Verified,
    /// The user is rejected.
    Rejected,
    /// A person has to decide.
    Review,
}

/// The outcome of an attempt: final, or REVIEW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// What it proves.
    pub assurance: Assurance,
    /// Why: never empty for REJECTED and REVIEW, by the constructors.
    pub reasons: Vec<Reason>,
}

impl Outcome {
    /// The user is verified.
    #[must_use]
    pub const fn verified(assurance: Assurance) -> Self {
        Self { decision: Decision::Verified, assurance, reasons: Vec::new() }
    }

    /// The user is rejected, with the first reason.
    #[must_use]
    pub fn rejected(assurance: Assurance, reason: Reason) -> Self {
        Self { decision: Decision::Rejected, assurance, reasons: vec![reason] }
    }

    /// A person has to decide, with the first reason.
    #[must_use]
    pub fn review(assurance: Assurance, reason: Reason) -> Self {
        Self { decision: Decision::Review, assurance, reasons: vec![reason] }
    }
}

/// Why an attempt had its outcome, for the client. It never holds a value of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Machine code, lower case with underscores.
    pub code: String,
    /// One clear sentence.
    pub message: String,
    /// The path of the request field that it is about, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Reason {
    /// A reason without a path.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), path: None }
    }

    /// The attempt had no outcome by its deadline.
    #[must_use]
    pub fn overdue() -> Self {
        Self::new("verification_timeout", "The verification had no outcome in time; a person has to decide")
    }

    /// The reasons of a reviewer's decision, followed by those earlier reasons that it does not repeat.
    #[must_use]
    pub fn with_earlier(mut decided: Vec<Self>, earlier: Vec<Self>) -> Vec<Self> {
        let added: Vec<Self> = earlier.into_iter().filter(|reason| !decided.contains(reason)).collect();
        decided.extend(added);
        decided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_read_back() {
        assert!(Trigger::VARIANTS.iter().all(|value| value.into_str().parse() == Ok(*value)));
        assert!(AttemptState::VARIANTS.iter().all(|value| value.into_str().parse() == Ok(*value)));
        assert!(Assurance::VARIANTS.iter().all(|value| value.into_str().parse() == Ok(*value)));
        assert!("VERIFIED".parse::<AttemptState>().is_err());
        assert_eq!(Assurance::DataConsistency.into_str(), "data_consistency");
    }
}
