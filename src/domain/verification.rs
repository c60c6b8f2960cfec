//! What a verification attempt is: what starts it, where it stands, why it ended as it did (decisions, section 6).

use serde::{Deserialize, Serialize};

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
