//! What the history of a user records: what happened, and who did it.

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::verification::Stimulus;

/// What happened to a user. The texts are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Action {
    /// It was created.
    Created,
    /// Its data changed.
    Updated,
    /// A verification was requested.
    VerificationRequested,
    /// A worker took a verification up.
    VerificationBegun,
    /// The provider decided, or asked for a review.
    VerificationDecided,
    /// A verification passed its deadline.
    VerificationOverdue,
    /// A reviewer decided.
    ReviewDecided,
}

/// Who changed a user. The texts are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Actor {
    /// The client that owns the user.
    Client,
    /// A worker of the service.
    Worker,
    /// The verification provider.
    Provider,
    /// A reviewer of the operator.
    Reviewer,
}

impl Action {
    /// What a stimulus of a verification is in the history, and whose it is.
    #[must_use]
    pub const fn of(stimulus: Stimulus<'_>) -> (Self, Actor) {
        match stimulus {
            Stimulus::Started(_) => (Self::VerificationRequested, Actor::Client),
            Stimulus::Begun => (Self::VerificationBegun, Actor::Worker),
            Stimulus::Decided(_) => (Self::VerificationDecided, Actor::Provider),
            Stimulus::Reviewed(_) => (Self::ReviewDecided, Actor::Reviewer),
            Stimulus::DataInvalidated => (Self::Updated, Actor::Client),
            Stimulus::Overdue => (Self::VerificationOverdue, Actor::Worker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_read_back() {
        assert!(Action::VARIANTS.iter().all(|value| value.into_str().parse() == Ok(*value)));
        assert!(Actor::VARIANTS.iter().all(|value| value.into_str().parse() == Ok(*value)));
        assert_eq!(Action::VerificationBegun.into_str(), "verification_begun");
    }
}
