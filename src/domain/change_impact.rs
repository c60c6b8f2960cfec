//! The effect of a user's change on its verification (decisions, sections 6 and 9).

use super::status::Status;
use super::verification::{NotAllowed, State, Stimulus, Trigger, transition};

/// How much a change of a field means to a verification. Which field has which is in the contract
/// (`kira.api.v1.Impact`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// None: descriptions and metadata prove nothing.
    None,
    /// The field may have caused a rejection, but its change invalidates no outcome.
    Reconsider,
    /// The change invalidates an outcome: name, birth date, address, tax IDs, documents, and the set of associated
    /// persons.
    Invalidates,
}

/// The state of a user before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its status.
    pub status: Status,
    /// Whether an attempt is in progress or waits for a person. A CREATED user may have one, or not.
    pub attempt_open: bool,
    /// Whether it has everything that verification needs.
    pub complete: bool,
}

/// The effect of a change on a user's verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status from now on.
    pub status: Status,
    /// Whether the current attempt, if there is one, is superseded: a late result of it changes nothing.
    pub abandons: bool,
    /// Whether a new attempt starts.
    pub starts: bool,
    /// Whether the user had an outcome that does not apply to the new data.
    pub requires_reverification: bool,
}

/// Returns the outcome of a change; the state machine determines the new status. `complete`: after the change the user
/// has everything that verification needs.
///
/// A VERIFIED user whose new data is incomplete goes back to CREATED; the change that completes it starts the attempt. A
/// REJECTED user stays REJECTED until then. A user in REVIEW stays there: the reviewer decides about the new data.
#[must_use]
pub fn assess(before: Before, impact: Impact, complete: bool) -> Outcome {
    let Before { status, attempt_open, complete: was_complete } = before;
    let invalidates = impact == Impact::Invalidates;
    let completed = complete && !was_complete;
    let starts = match status {
        Status::Created if !attempt_open => complete,
        Status::Created | Status::Verifying | Status::Verified => invalidates && complete,
        Status::Rejected => complete && (impact >= Impact::Reconsider || completed),
        Status::Review => false,
    };
    let abandons = invalidates && !starts && (attempt_open || status == Status::Verified);
    let decided = matches!(status, Status::Verified | Status::Rejected);
    let requires_reverification = decided && (invalidates || starts);
    let state = State { status, attempt: None, in_human_hands: false };
    let next = match (starts, abandons) {
        (true, _) => transition(state, Stimulus::Started(Trigger::Update)),
        (_, true) => transition(state, Stimulus::DataInvalidated),
        _ => Err(NotAllowed),
    };
    match next {
        Ok(next) => Outcome { status: next.status, abandons: true, starts, requires_reverification },
        Err(NotAllowed) => Outcome { status, abandons: false, starts: false, requires_reverification },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(status: Status) -> Before {
        let attempt_open = matches!(status, Status::Verifying | Status::Review);
        Before { status, attempt_open, complete: true }
    }

    #[test]
    fn what_completes_a_user_without_an_attempt_starts_one() {
        let created = Before { status: Status::Created, attempt_open: false, complete: false };
        for impact in [Impact::Invalidates, Impact::Reconsider] {
            let outcome = assess(created, impact, true);
            assert!(outcome.starts && !outcome.requires_reverification, "{outcome:?}");
            assert_eq!(outcome.status, Status::Verifying);
        }
        let outcome = assess(created, Impact::Invalidates, false);
        assert_eq!((outcome.status, outcome.starts, outcome.abandons), (Status::Created, false, false));
    }

    #[test]
    fn an_attempt_in_progress_is_superseded_where_its_data_changes() {
        let waiting = Before { status: Status::Created, attempt_open: true, complete: true };
        for open in [waiting, before(Status::Verifying)] {
            let outcome = assess(open, Impact::Invalidates, true);
            assert!(outcome.starts && outcome.abandons && !outcome.requires_reverification, "{outcome:?}");
            let untouched = assess(open, Impact::Reconsider, true);
            assert_eq!((untouched.status, untouched.starts, untouched.abandons), (open.status, false, false));
        }
    }

    #[test]
    fn an_attempt_whose_data_is_incomplete_is_superseded() {
        let outcome = assess(before(Status::Verifying), Impact::Invalidates, false);
        assert_eq!((outcome.status, outcome.starts, outcome.abandons), (Status::Created, false, true));
    }

    #[test]
    fn a_decided_user_whose_data_change_is_verified_again() {
        for decided in [Status::Verified, Status::Rejected] {
            let outcome = assess(before(decided), Impact::Invalidates, true);
            assert!(outcome.starts && outcome.requires_reverification, "{outcome:?}");
            let untouched = assess(before(decided), Impact::None, true);
            assert_eq!((untouched.status, untouched.requires_reverification), (decided, false));
        }
    }

    #[test]
    fn no_user_stays_verified_with_unverified_data() {
        let outcome = assess(before(Status::Verified), Impact::Invalidates, false);
        assert!(outcome.requires_reverification && !outcome.starts, "{outcome:?}");
        assert_eq!(outcome.status, Status::Created);
    }

    #[test]
    fn a_rejected_user_stays_so_until_its_data_are_complete_again() {
        let outcome = assess(before(Status::Rejected), Impact::Invalidates, false);
        assert_eq!((outcome.status, outcome.starts, outcome.requires_reverification), (Status::Rejected, false, true));
        let incomplete = Before { complete: false, ..before(Status::Rejected) };
        assert!(assess(incomplete, Impact::None, true).starts);
    }

    #[test]
    fn a_rejected_user_that_changes_any_possible_cause_is_verified_again() {
        assert!(assess(before(Status::Rejected), Impact::Reconsider, true).starts);
        assert!(!assess(before(Status::Rejected), Impact::None, true).starts);
    }

    #[test]
    fn no_change_ends_a_review() {
        for complete in [true, false] {
            let outcome = assess(before(Status::Review), Impact::Invalidates, complete);
            assert_eq!((outcome.status, outcome.starts, outcome.abandons), (Status::Review, false, false));
        }
    }
}
