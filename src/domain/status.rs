//! Where a user's verification stands (the specification's "User Status").

use std::fmt;

/// The state of a user's verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Verification may be pending or not triggered.
    Created,
    /// An attempt is under way.
    Verifying,
    /// The user is who it says it is.
    Verified,
    /// The last attempt refused the user.
    Rejected,
    /// A human has to decide.
    Review,
}

/// The specification's deprecated `verification_status`, derived from the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerificationStatus {
    /// Neither verified nor rejected.
    Unverified,
    /// The status is VERIFIED.
    Verified,
    /// The status is REJECTED.
    Rejected,
}

/// A text that names no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a user status")]
pub struct UnknownStatus;

impl Status {
    /// Every status, in the specification's order.
    pub const ALL: [Self; 5] = [Self::Created, Self::Verifying, Self::Verified, Self::Rejected, Self::Review];

    /// The text that the database and the specification use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Verifying => "VERIFYING",
            Self::Verified => "VERIFIED",
            Self::Rejected => "REJECTED",
            Self::Review => "REVIEW",
        }
    }

    /// What the deprecated `verification_status` says for this status (decisions, section 4).
    #[must_use]
    pub const fn verification_status(self) -> VerificationStatus {
        match self {
            Self::Verified => VerificationStatus::Verified,
            Self::Rejected => VerificationStatus::Rejected,
            Self::Created | Self::Verifying | Self::Review => VerificationStatus::Unverified,
        }
    }
}

impl VerificationStatus {
    /// The text that the specification uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Verified => "verified",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back_from_its_text() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
    }

    #[test]
    fn a_text_that_is_no_status_is_refused() {
        for text in ["", "created", "CREATED ", "DONE"] {
            assert_eq!(text.parse::<Status>(), Err(UnknownStatus));
        }
    }

    #[test]
    fn only_verified_and_rejected_show_in_the_deprecated_status() {
        let derived = Status::ALL.map(Status::verification_status);
        use VerificationStatus::{Rejected, Unverified, Verified};
        assert_eq!(derived, [Unverified, Unverified, Verified, Rejected, Unverified]);
    }
}
