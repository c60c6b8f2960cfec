//! What a verification attempt is: what starts it, where it stands, why it ended as it did (decisions, section 6).

use serde::{Deserialize, Serialize};

use super::status::Status;

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

/// How an attempt ends, or stops for a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The user is verified.
    Verified,
    /// The user is refused.
    Rejected,
    /// A human has to decide.
    Review,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Verified, Self::Rejected, Self::Review];

    /// The status that it gives the user.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Verified => Status::Verified,
            Self::Rejected => Status::Rejected,
            Self::Review => Status::Review,
        }
    }

    /// Where it leaves the attempt.
    #[must_use]
    pub const fn attempt(self) -> AttemptState {
        match self {
            Self::Verified => AttemptState::Verified,
            Self::Rejected => AttemptState::Rejected,
            Self::Review => AttemptState::Review,
        }
    }
}

/// Whether an attempt that stands at `attempt` and is the user's current one takes an outcome: one that has ended, or
/// that a newer one replaced, takes none, and what waits for a human does not ask for one again.
#[must_use]
pub fn takes(attempt: AttemptState, is_current: bool, outcome: Outcome) -> bool {
    is_current && !attempt.is_final() && attempt != outcome.attempt()
}

/// Whether a new attempt may start for a user of this status. A request asks for what is not done and not under way; a
/// change of what was judged always needs a new judgement.
#[must_use]
pub const fn may_start(status: Status, trigger: Trigger) -> bool {
    match trigger {
        Trigger::Create | Trigger::Request => matches!(status, Status::Created | Status::Rejected),
        Trigger::Update => true,
    }
}

/// What the world is told of a user that has come from one status to another (decisions, section 8).
#[must_use]
pub fn events(from: Status, to: Status) -> &'static [EventKind] {
    match to {
        _ if from == to => &[],
        Status::Verified => &[EventKind::StatusChanged, EventKind::VerificationAccepted],
        Status::Rejected => &[EventKind::StatusChanged, EventKind::VerificationFailed],
        Status::Created | Status::Verifying | Status::Review => &[EventKind::StatusChanged],
    }
}

/// What receivers can be told of (decisions, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A user was made.
    Created,
    /// A user's data was changed.
    Updated,
    /// A user has come from one status to another.
    StatusChanged,
    /// A user was verified.
    VerificationAccepted,
    /// A user was refused.
    VerificationFailed,
}

impl EventKind {
    /// The name that receivers know it by.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "user.created",
            Self::Updated => "user.updated",
            Self::StatusChanged => "user.status_changed",
            Self::VerificationAccepted => "user.verification.accepted",
            Self::VerificationFailed => "user.verification.failed",
        }
    }
}

/// A text that names no state of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a verification attempt")]
pub struct UnknownState;

impl std::str::FromStr for AttemptState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_back_from_its_text() {
        for state in AttemptState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("done".parse::<AttemptState>(), Err(UnknownState));
    }

    #[test]
    fn a_late_result_changes_nothing() {
        for outcome in Outcome::ALL {
            for state in AttemptState::ALL {
                assert!(!takes(state, false, outcome), "an older attempt");
            }
            for state in AttemptState::ALL.into_iter().filter(|state| state.is_final()) {
                assert!(!takes(state, true, outcome), "an attempt that has ended");
            }
        }
    }

    #[test]
    fn an_attempt_under_way_takes_any_outcome_and_one_in_review_a_decision() {
        for outcome in Outcome::ALL {
            assert!(takes(AttemptState::Pending, true, outcome) && takes(AttemptState::Running, true, outcome));
        }
        assert!(takes(AttemptState::Review, true, Outcome::Verified));
        assert!(takes(AttemptState::Review, true, Outcome::Rejected));
        assert!(!takes(AttemptState::Review, true, Outcome::Review));
    }

    #[test]
    fn only_what_is_not_done_and_not_under_way_starts_on_request() {
        let started: Vec<_> = Status::ALL.into_iter().filter(|status| may_start(*status, Trigger::Request)).collect();
        assert_eq!(started, [Status::Created, Status::Rejected]);
        assert!(Status::ALL.into_iter().all(|status| may_start(status, Trigger::Update)));
    }

    #[test]
    fn every_change_of_status_is_told_and_no_other() {
        for from in Status::ALL {
            for to in Status::ALL {
                assert_eq!(events(from, to).contains(&EventKind::StatusChanged), from != to, "{from} {to}");
                let accepted = events(from, to).contains(&EventKind::VerificationAccepted);
                assert_eq!(accepted, from != to && to == Status::Verified);
                let failed = events(from, to).contains(&EventKind::VerificationFailed);
                assert_eq!(failed, from != to && to == Status::Rejected);
            }
        }
    }
}
