//! The state machine of decisions, section 6: what happens to a user and to an attempt, and what is told about it.

use super::{AttemptState, Decision, Outcome, Trigger};
use crate::domain::status::Status;

/// Where the two stand before something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The user's status.
    pub status: Status,
    /// The state of the attempt that something happens to; None: there is none yet, or the user has another by now.
    pub attempt: Option<AttemptState>,
    /// Whether a review is out of the provider's hands: a reviewer has taken a step, or the deadline has passed.
    pub attended: bool,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// A new attempt is asked for. The standing's attempt is the user's current one.
    Started(Trigger),
    /// A worker takes the attempt up.
    Begun,
    /// The provider has decided.
    Decided(&'a Outcome),
    /// A human has decided.
    Reviewed(&'a Outcome),
    /// The user changed, so that what was judged is no more, and what is left cannot be verified yet.
    Withdrawn,
    /// The deadline has passed.
    Overdue,
}

/// What receivers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The status is another one.
    StatusChanged,
    /// The status is VERIFIED.
    Accepted,
    /// The status is REJECTED.
    Failed,
}

impl EventKind {
    /// The documented name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StatusChanged => "user.status_changed",
            Self::Accepted => "user.verification.accepted",
            Self::Failed => "user.verification.failed",
        }
    }
}

/// Where the two stand afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The user's status.
    pub status: Status,
    /// The attempt's state; of `Started`, that of the new attempt.
    pub attempt: AttemptState,
    /// What to tell, in this order.
    pub events: &'static [EventKind],
}

/// It cannot happen to a user and an attempt that stand so; nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user's verification does not stand so that this can happen")]
pub struct NotAllowed;

/// What something does to a user and an attempt.
///
/// An attempt that was asked for by a create leaves the user CREATED until a worker takes it up, as documented; one that
/// follows from a change or a request makes it VERIFYING at once, so that a VERIFIED user whose name was changed does
/// not stay VERIFIED meanwhile. A result of an attempt that is not the user's current one, or has ended, is not allowed.
/// Out of REVIEW leads a human's decision alone, but that a provider may still revise a review that nobody has looked at;
/// the user's own changes do not: they are reviewed with the rest.
///
/// # Errors
/// `NotAllowed`: nothing is to be changed.
pub fn transition(standing: Standing, input: Input<'_>) -> Result<Transition, NotAllowed> {
    let Standing { status, attempt, attended } = standing;
    let next = match (input, attempt) {
        (Input::Started(trigger), _) if may_start(trigger, standing) => match trigger {
            Trigger::Create => (status, AttemptState::Pending),
            Trigger::Update | Trigger::Request => (Status::Verifying, AttemptState::Pending),
        },
        (Input::Begun, Some(AttemptState::Pending)) => (Status::Verifying, AttemptState::Running),
        // Another worker's lease ran out: the provider is asked again.
        (Input::Begun, Some(state @ (AttemptState::Running | AttemptState::Review))) => (status, state),
        (Input::Decided(outcome), Some(AttemptState::Pending | AttemptState::Running)) => ends(outcome),
        (Input::Decided(outcome), Some(AttemptState::Review)) if !attended => ends(outcome),
        (Input::Reviewed(outcome), Some(AttemptState::Review)) => ends(outcome),
        (Input::Withdrawn, _) if matches!(status, Status::Created | Status::Verifying | Status::Verified) => {
            (Status::Created, AttemptState::Superseded)
        }
        (Input::Overdue, Some(AttemptState::Pending | AttemptState::Running)) => (Status::Review, AttemptState::Review),
        _ => return Err(NotAllowed),
    };
    let (new_status, attempt) = next;
    Ok(Transition { status: new_status, attempt, events: events(status, new_status) })
}

/// Where an outcome leaves the two.
const fn ends(outcome: &Outcome) -> (Status, AttemptState) {
    match outcome.decision {
        Decision::Verified => (Status::Verified, AttemptState::Verified),
        Decision::Rejected => (Status::Rejected, AttemptState::Rejected),
        Decision::Review => (Status::Review, AttemptState::Review),
    }
}

/// A change may start an attempt while another runs, which judges data that is no more; a request may not.
fn may_start(trigger: Trigger, standing: Standing) -> bool {
    let under_way = standing.attempt.is_some_and(|state| !state.is_final());
    match (trigger, standing.status) {
        (Trigger::Create | Trigger::Request, Status::Created) => !under_way,
        (Trigger::Request, Status::Rejected) => true,
        (Trigger::Update, Status::Created | Status::Rejected | Status::Verified | Status::Verifying) => true,
        (Trigger::Create, _) | (Trigger::Request, _) | (Trigger::Update, Status::Review) => false,
    }
}

fn events(before: Status, after: Status) -> &'static [EventKind] {
    match after {
        _ if before == after => &[],
        Status::Verified => &[EventKind::StatusChanged, EventKind::Accepted],
        Status::Rejected => &[EventKind::StatusChanged, EventKind::Failed],
        Status::Created | Status::Verifying | Status::Review => &[EventKind::StatusChanged],
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Assurance, Reason};
    use super::*;

    fn outcome(decision: Decision) -> Outcome {
        Outcome { decision, assurance: Assurance::Simulated, reasons: vec![Reason::overdue()] }
    }

    fn after(status: Status, attempt: Option<AttemptState>, input: Input<'_>) -> Option<(Status, AttemptState)> {
        let next = transition(Standing { status, attempt, attended: false }, input).ok()?;
        Some((next.status, next.attempt))
    }

    #[test]
    fn an_outcome_moves_a_user_that_is_verified_or_reviewed_and_its_attempt() {
        for (status, attempt) in [(Status::Verifying, AttemptState::Running), (Status::Review, AttemptState::Review)] {
            for (decision, then) in [
                (Decision::Verified, (Status::Verified, AttemptState::Verified)),
                (Decision::Rejected, (Status::Rejected, AttemptState::Rejected)),
                (Decision::Review, (Status::Review, AttemptState::Review)),
            ] {
                let outcome = outcome(decision);
                assert_eq!(after(status, Some(attempt), Input::Decided(&outcome)), Some(then));
            }
        }
    }

    #[test]
    fn a_late_result_of_an_older_or_ended_attempt_is_not_allowed() {
        let outcome = outcome(Decision::Verified);
        for status in Status::ALL {
            let ended = [AttemptState::Verified, AttemptState::Rejected, AttemptState::Superseded].map(Some);
            for attempt in ended.into_iter().chain([None]) {
                for input in [Input::Begun, Input::Decided(&outcome), Input::Reviewed(&outcome), Input::Overdue] {
                    assert_eq!(after(status, attempt, input), None, "{status} {attempt:?} {input:?}");
                }
            }
        }
    }

    #[test]
    fn a_create_stays_created_until_a_worker_takes_it_up() {
        let started = after(Status::Created, None, Input::Started(Trigger::Create));
        assert_eq!(started, Some((Status::Created, AttemptState::Pending)));
        let begun = after(Status::Created, Some(AttemptState::Pending), Input::Begun);
        assert_eq!(begun, Some((Status::Verifying, AttemptState::Running)));
    }

    #[test]
    fn a_request_starts_an_attempt_for_a_created_or_rejected_user_alone() {
        for status in Status::ALL {
            let allowed = matches!(status, Status::Created | Status::Rejected);
            assert_eq!(after(status, None, Input::Started(Trigger::Request)).is_some(), allowed, "{status}");
        }
        let pending = after(Status::Created, Some(AttemptState::Pending), Input::Started(Trigger::Request));
        assert_eq!(pending, None);
    }

    #[test]
    fn a_change_starts_an_attempt_for_everyone_but_a_user_in_review() {
        for status in Status::ALL {
            let started = after(status, Some(AttemptState::Running), Input::Started(Trigger::Update));
            let expected = (status != Status::Review).then_some((Status::Verifying, AttemptState::Pending));
            assert_eq!(started, expected, "{status}");
        }
    }

    #[test]
    fn a_review_that_a_human_attends_is_decided_by_humans_alone() {
        let outcome = outcome(Decision::Verified);
        let attended = Standing { status: Status::Review, attempt: Some(AttemptState::Review), attended: true };
        assert_eq!(transition(attended, Input::Decided(&outcome)), Err(NotAllowed));
        assert!(transition(attended, Input::Reviewed(&outcome)).is_ok());
    }

    #[test]
    fn a_human_decides_what_is_in_review_alone() {
        let outcome = outcome(Decision::Verified);
        for (status, state) in [(Status::Created, AttemptState::Pending), (Status::Verifying, AttemptState::Running)] {
            assert_eq!(after(status, Some(state), Input::Reviewed(&outcome)), None);
        }
    }

    #[test]
    fn what_can_be_verified_no_more_goes_back_to_created_but_out_of_review() {
        for status in [Status::Created, Status::Verifying, Status::Verified] {
            let gone = after(status, Some(AttemptState::Running), Input::Withdrawn);
            assert_eq!(gone, Some((Status::Created, AttemptState::Superseded)));
        }
        for status in [Status::Review, Status::Rejected] {
            assert_eq!(after(status, Some(AttemptState::Review), Input::Withdrawn), None);
        }
    }

    #[test]
    fn an_attempt_past_its_deadline_becomes_review_and_one_in_review_stays() {
        for (status, state) in [(Status::Created, AttemptState::Pending), (Status::Verifying, AttemptState::Running)] {
            assert_eq!(after(status, Some(state), Input::Overdue), Some((Status::Review, AttemptState::Review)));
        }
        assert_eq!(after(Status::Review, Some(AttemptState::Review), Input::Overdue), None);
    }

    #[test]
    fn each_change_of_the_status_is_told_and_the_two_results_are_told_besides() {
        use EventKind::{Accepted, Failed, StatusChanged};
        let told = |status, attempt, input| {
            transition(Standing { status, attempt: Some(attempt), attended: false }, input).expect("allowed").events
        };
        let running = AttemptState::Running;
        let [verified, rejected, review] = [Decision::Verified, Decision::Rejected, Decision::Review].map(outcome);
        assert_eq!(told(Status::Verifying, running, Input::Decided(&verified)), [StatusChanged, Accepted]);
        assert_eq!(told(Status::Verifying, running, Input::Decided(&rejected)), [StatusChanged, Failed]);
        assert_eq!(told(Status::Verifying, running, Input::Decided(&review)), [StatusChanged]);
        assert_eq!(told(Status::Created, AttemptState::Pending, Input::Begun), [StatusChanged]);
        assert_eq!(told(Status::Verifying, running, Input::Begun), []);
    }
}
