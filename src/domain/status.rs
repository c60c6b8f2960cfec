//! The status of a user (the specification's "User Status").

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The state of a user's verification. The texts are those of the specification and of the database.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray, Serialize, Deserialize,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", const_into_str)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// No attempt has started: none was triggered, or it is still queued.
    Created,
    /// An attempt is in progress.
    Verifying,
    /// The last attempt confirmed the user.
    Verified,
    /// The last attempt rejected the user.
    Rejected,
    /// A person has to decide.
    Review,
}

/// The specification's deprecated `verification_status`, derived from the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum VerificationStatus {
    /// Neither verified nor rejected.
    Unverified,
    /// The status is VERIFIED.
    Verified,
    /// The status is REJECTED.
    Rejected,
}

impl Status {
    /// The deprecated `verification_status` for this status (decisions, section 4).
    #[must_use]
    pub const fn verification_status(self) -> VerificationStatus {
        match self {
            Self::Verified => VerificationStatus::Verified,
            Self::Rejected => VerificationStatus::Rejected,
            Self::Created | Self::Verifying | Self::Review => VerificationStatus::Unverified,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back_from_its_text() {
        let texts: Vec<_> = Status::VARIANTS.iter().map(|status| status.into_str()).collect();
        assert_eq!(texts, ["CREATED", "VERIFYING", "VERIFIED", "REJECTED", "REVIEW"]);
        for status in Status::VARIANTS {
            assert_eq!(status.to_string().parse(), Ok(*status));
            assert_eq!(serde_json::json!(status), status.into_str());
        }
    }

    #[test]
    fn a_text_that_is_no_status_is_rejected() {
        for text in ["", "created", "CREATED ", "DONE"] {
            assert!(text.parse::<Status>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_verified_and_rejected_show_in_the_deprecated_status() {
        let derived: Vec<_> = Status::VARIANTS.iter().map(|status| status.verification_status().into_str()).collect();
        assert_eq!(derived, ["unverified", "unverified", "verified", "rejected", "unverified"]);
    }
}
