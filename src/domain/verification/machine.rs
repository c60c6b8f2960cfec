//! The state machine of decisions, section 6: the transitions of a user and its attempt, and the events of each.

use super::{Assurance, AttemptState, Decision, Outcome, Reason, Trigger};
use crate::domain::event::EventKind;
use crate::domain::status::Status;

/// The state of a user and its attempt before a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The user's status.
    pub status: Status,
    /// The state of the attempt that the stimulus is about; None: the user has no attempt yet, or another one by now.
    pub attempt: Option<AttemptState>,
    /// Whether the provider can no longer revise a review: a reviewer has acted, or the deadline has passed.
    pub in_human_hands: bool,
}

/// The input of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus<'a> {
    /// A new attempt is requested. The state's attempt is the user's current one.
    Started(Trigger),
    /// A worker claims the attempt.
    Begun,
    /// The provider has decided.
    Decided(&'a Outcome),
    /// A reviewer has decided.
    Reviewed(&'a Outcome),
    /// The user's data changed: it is not the data that was judged, and is not complete enough to verify.
    DataInvalidated,
    /// The deadline has passed.
    Overdue,
}

impl Stimulus<'_> {
    /// The reasons that it brings; None: it leaves the stored reasons as they are.
    #[must_use]
    pub fn reasons(&self) -> Option<Vec<Reason>> {
        match self {
            Self::Decided(outcome) | Self::Reviewed(outcome) => Some(outcome.reasons.clone()),
            Self::Overdue => Some(vec![Reason::overdue()]),
            Self::Begun | Self::Started(_) | Self::DataInvalidated => None,
        }
    }

    /// The assurance that it brings.
    #[must_use]
    pub const fn assurance(&self) -> Option<Assurance> {
        match self {
            Self::Decided(outcome) | Self::Reviewed(outcome) => Some(outcome.assurance),
            Self::Overdue | Self::Begun | Self::Started(_) | Self::DataInvalidated => None,
        }
    }
}

/// The state of a user and its attempt after a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The user's status.
    pub status: Status,
    /// The attempt's state; of `Started`, that of the new attempt.
    pub attempt: AttemptState,
    /// The events to emit, in this order.
    pub events: &'static [EventKind],
}

impl Transition {
    /// By how much a transition raises the user's version: one for each event, and at least one.
    #[must_use]
    pub fn version_increment(&self) -> i64 {
        i64::try_from(self.events.len()).map_or(i64::MAX, |count| count.max(1))
    }
}

/// The state does not allow the transition; nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state of the user's verification does not allow this transition")]
pub struct NotAllowed;

/// Returns the state after a stimulus.
///
/// An attempt that a create started leaves the user CREATED until a worker claims it, as documented. An attempt that a
/// change or a request started makes the user VERIFYING at once, so that a VERIFIED user whose name changed does not
/// stay VERIFIED. A result of an attempt that is final, or not the user's current one, is rejected. REVIEW ends with a
/// reviewer's decision; a provider may revise a review as long as no reviewer has acted. A change of the user's data
/// does not end a review: the reviewer decides about the new data.
///
/// # Errors
/// `NotAllowed`: the caller changes nothing.
pub fn transition(state: State, stimulus: Stimulus<'_>) -> Result<Transition, NotAllowed> {
    let State { status, attempt, in_human_hands } = state;
    let next = match (stimulus, attempt) {
        (Stimulus::Started(trigger), _) if may_start(trigger, state) => match trigger {
            Trigger::Create => (status, AttemptState::Pending),
            Trigger::Update | Trigger::Request => (Status::Verifying, AttemptState::Pending),
        },
        (Stimulus::Begun, Some(AttemptState::Pending)) => (Status::Verifying, AttemptState::Running),
        // Another worker's lease expired: this worker calls the provider again.
        (Stimulus::Begun, Some(current @ (AttemptState::Running | AttemptState::Review))) => (status, current),
        (Stimulus::Decided(outcome), Some(AttemptState::Pending | AttemptState::Running)) => after_outcome(outcome),
        (Stimulus::Decided(outcome), Some(AttemptState::Review)) if !in_human_hands => after_outcome(outcome),
        (Stimulus::Reviewed(outcome), Some(AttemptState::Review)) => after_outcome(outcome),
        (Stimulus::DataInvalidated, _) if matches!(status, Status::Created | Status::Verifying | Status::Verified) => {
            (Status::Created, AttemptState::Superseded)
        }
        (Stimulus::Overdue, Some(AttemptState::Pending | AttemptState::Running)) => {
            (Status::Review, AttemptState::Review)
        }
        _ => return Err(NotAllowed),
    };
    let (new_status, attempt) = next;
    Ok(Transition { status: new_status, attempt, events: events(status, new_status) })
}

/// The status and the attempt's state after an outcome.
const fn after_outcome(outcome: &Outcome) -> (Status, AttemptState) {
    match outcome.decision {
        Decision::Verified => (Status::Verified, AttemptState::Verified),
        Decision::Rejected => (Status::Rejected, AttemptState::Rejected),
        Decision::Review => (Status::Review, AttemptState::Review),
    }
}

/// A change may start an attempt while another one runs, because that one judges outdated data; a request may not.
fn may_start(trigger: Trigger, state: State) -> bool {
    let in_progress = state.attempt.is_some_and(|attempt| !attempt.is_final());
    match (trigger, state.status) {
        (Trigger::Create | Trigger::Request, Status::Created) => !in_progress,
        (Trigger::Request, Status::Rejected) => true,
        (Trigger::Update, Status::Created | Status::Rejected | Status::Verified | Status::Verifying) => true,
        (Trigger::Create, _) | (Trigger::Request, _) | (Trigger::Update, Status::Review) => false,
    }
}

fn events(before: Status, after: Status) -> &'static [EventKind] {
    match after {
        _ if before == after => &[],
        Status::Verified => &[EventKind::UserStatusChanged, EventKind::VerificationAccepted],
        Status::Rejected => &[EventKind::UserStatusChanged, EventKind::VerificationFailed],
        Status::Created | Status::Verifying | Status::Review => &[EventKind::UserStatusChanged],
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    fn outcome(decision: Decision) -> Outcome {
        Outcome { decision, assurance: Assurance::Simulated, reasons: vec![Reason::overdue()] }
    }

    fn after(status: Status, attempt: Option<AttemptState>, stimulus: Stimulus<'_>) -> Option<(Status, AttemptState)> {
        let next = transition(State { status, attempt, in_human_hands: false }, stimulus).ok()?;
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
                assert_eq!(after(status, Some(attempt), Stimulus::Decided(&outcome)), Some(then));
            }
        }
    }

    #[test]
    fn a_late_result_of_an_older_or_ended_attempt_is_not_allowed() {
        let outcome = outcome(Decision::Verified);
        for &status in Status::VARIANTS {
            let ended = [AttemptState::Verified, AttemptState::Rejected, AttemptState::Superseded].map(Some);
            for attempt in ended.into_iter().chain([None]) {
                for stimulus in
                    [Stimulus::Begun, Stimulus::Decided(&outcome), Stimulus::Reviewed(&outcome), Stimulus::Overdue]
                {
                    assert_eq!(after(status, attempt, stimulus), None, "{status} {attempt:?} {stimulus:?}");
                }
            }
        }
    }

    #[test]
    fn a_create_stays_created_until_a_worker_claims_its_attempt() {
        let started = after(Status::Created, None, Stimulus::Started(Trigger::Create));
        assert_eq!(started, Some((Status::Created, AttemptState::Pending)));
        let begun = after(Status::Created, Some(AttemptState::Pending), Stimulus::Begun);
        assert_eq!(begun, Some((Status::Verifying, AttemptState::Running)));
    }

    #[test]
    fn a_request_starts_an_attempt_for_a_created_or_rejected_user_alone() {
        for &status in Status::VARIANTS {
            let allowed = matches!(status, Status::Created | Status::Rejected);
            assert_eq!(after(status, None, Stimulus::Started(Trigger::Request)).is_some(), allowed, "{status}");
        }
        let pending = after(Status::Created, Some(AttemptState::Pending), Stimulus::Started(Trigger::Request));
        assert_eq!(pending, None);
    }

    #[test]
    fn a_change_starts_an_attempt_for_every_user_but_one_in_review() {
        for &status in Status::VARIANTS {
            let started = after(status, Some(AttemptState::Running), Stimulus::Started(Trigger::Update));
            let expected = (status != Status::Review).then_some((Status::Verifying, AttemptState::Pending));
            assert_eq!(started, expected, "{status}");
        }
    }

    #[test]
    fn a_review_that_a_reviewer_has_acted_on_is_decided_by_reviewers_alone() {
        let outcome = outcome(Decision::Verified);
        let in_human_hands =
            State { status: Status::Review, attempt: Some(AttemptState::Review), in_human_hands: true };
        assert_eq!(transition(in_human_hands, Stimulus::Decided(&outcome)), Err(NotAllowed));
        assert!(transition(in_human_hands, Stimulus::Reviewed(&outcome)).is_ok());
    }

    #[test]
    fn a_reviewer_decides_an_attempt_in_review_alone() {
        let outcome = outcome(Decision::Verified);
        for (status, state) in [(Status::Created, AttemptState::Pending), (Status::Verifying, AttemptState::Running)] {
            assert_eq!(after(status, Some(state), Stimulus::Reviewed(&outcome)), None);
        }
    }

    #[test]
    fn invalidated_data_makes_a_user_created_again_unless_it_is_in_review() {
        for status in [Status::Created, Status::Verifying, Status::Verified] {
            let gone = after(status, Some(AttemptState::Running), Stimulus::DataInvalidated);
            assert_eq!(gone, Some((Status::Created, AttemptState::Superseded)));
        }
        for status in [Status::Review, Status::Rejected] {
            assert_eq!(after(status, Some(AttemptState::Review), Stimulus::DataInvalidated), None);
        }
    }

    #[test]
    fn an_attempt_past_its_deadline_becomes_review_and_one_in_review_stays() {
        for (status, state) in [(Status::Created, AttemptState::Pending), (Status::Verifying, AttemptState::Running)] {
            assert_eq!(after(status, Some(state), Stimulus::Overdue), Some((Status::Review, AttemptState::Review)));
        }
        assert_eq!(after(Status::Review, Some(AttemptState::Review), Stimulus::Overdue), None);
    }

    #[test]
    fn each_change_of_the_status_and_each_final_result_emits_an_event() {
        use EventKind::{UserStatusChanged, VerificationAccepted, VerificationFailed};
        let emitted = |status, attempt, stimulus| {
            transition(State { status, attempt: Some(attempt), in_human_hands: false }, stimulus)
                .expect("allowed")
                .events
        };
        let running = AttemptState::Running;
        let [verified, rejected, review] = [Decision::Verified, Decision::Rejected, Decision::Review].map(outcome);
        assert_eq!(
            emitted(Status::Verifying, running, Stimulus::Decided(&verified)),
            [UserStatusChanged, VerificationAccepted]
        );
        assert_eq!(
            emitted(Status::Verifying, running, Stimulus::Decided(&rejected)),
            [UserStatusChanged, VerificationFailed]
        );
        assert_eq!(emitted(Status::Verifying, running, Stimulus::Decided(&review)), [UserStatusChanged]);
        assert_eq!(emitted(Status::Created, AttemptState::Pending, Stimulus::Begun), [UserStatusChanged]);
        assert_eq!(emitted(Status::Verifying, running, Stimulus::Begun), []);
    }
}
