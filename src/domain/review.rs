//! The rules of reviews: which reviewer may take which action, and when a decision is final.

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use chrono::{DateTime, TimeDelta, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// How long a claim is exclusive.
pub const CLAIM_LASTS: TimeDelta = TimeDelta::hours(1);

/// What a reviewer does with a review. The texts are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Action {
    /// Reserves the review for the reviewer.
    Claim,
    /// Ends the reservation.
    Release,
    /// Votes to verify the user.
    Approve,
    /// Votes to reject the user.
    Reject,
}

impl Action {
    const fn decides(self) -> bool {
        matches!(self, Self::Approve | Self::Reject)
    }
}

/// An earlier action on a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The reviewer.
    pub actor: String,
    /// The action.
    pub action: Action,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// The result of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    /// It is recorded; the review is still open.
    Noted,
    /// It decides the review.
    Decided,
}

/// Why an action is not possible now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// Another reviewer has claimed it.
    #[error("Another reviewer has claimed this review")]
    Claimed,
    /// Only the reviewer who claimed it can release it.
    #[error("You have not claimed this review")]
    NotClaimed,
    /// Two reviewers must agree, and this one has already decided.
    #[error("Your decision waits for the agreement of another reviewer")]
    SecondReviewerNeeded,
}

/// The claim in force, and when it expires.
#[must_use]
pub fn holder(steps: &[Step], now: DateTime<Utc>) -> Option<(&Step, DateTime<Utc>)> {
    let last = steps.last().filter(|step| step.action == Action::Claim)?;
    let until = last.at + CLAIM_LASTS;
    (now < until).then_some((last, until))
}

/// The decision that waits for another reviewer's agreement. A decision from before the user's last change is void: it
/// was about other data.
#[must_use]
pub fn proposal(steps: &[Step], changed_at: DateTime<Utc>) -> Option<&Step> {
    steps.iter().rev().find(|step| step.action.decides()).filter(|step| step.at >= changed_at)
}

/// The times that an action depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of the action.
    pub now: DateTime<Utc>,
    /// When the user last changed.
    pub changed_at: DateTime<Utc>,
}

/// Returns the result of an action. With `four_eyes`, two different reviewers in succession must make the same
/// decision; a contrary decision becomes the new proposal.
///
/// # Errors
/// The action is not possible now.
pub fn judge(
    steps: &[Step],
    actor: &str,
    action: Action,
    Moment { now, changed_at }: Moment,
    four_eyes: bool,
) -> Result<ActionOutcome, ReviewError> {
    let held_by = holder(steps, now).map(|(step, _)| step.actor.as_str());
    if held_by.is_some_and(|holder| holder != actor) {
        return Err(ReviewError::Claimed);
    }
    let proposal = proposal(steps, changed_at);
    match action {
        Action::Release if held_by.is_none() => Err(ReviewError::NotClaimed),
        Action::Release => Ok(ActionOutcome::Noted),
        // No other reviewer could agree with it while the claim is in force.
        Action::Claim if proposal.is_some_and(|proposal| proposal.actor == actor) => {
            Err(ReviewError::SecondReviewerNeeded)
        }
        Action::Claim => Ok(ActionOutcome::Noted),
        Action::Approve | Action::Reject if !four_eyes => Ok(ActionOutcome::Decided),
        Action::Approve | Action::Reject => match proposal {
            Some(proposal) if proposal.action == action && proposal.actor == actor => {
                Err(ReviewError::SecondReviewerNeeded)
            }
            Some(proposal) if proposal.action == action => Ok(ActionOutcome::Decided),
            _ => Ok(ActionOutcome::Noted),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "ann";
    const BOB: &str = "bob";

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn moment(minutes: i64) -> Moment {
        Moment { now: at(minutes), changed_at: at(0) }
    }

    fn steps(of: &[(&str, Action, i64)]) -> Vec<Step> {
        let step = |(actor, action, minutes): &(&str, Action, i64)| Step {
            actor: (*actor).to_owned(),
            action: *action,
            at: at(*minutes),
        };
        of.iter().map(step).collect()
    }

    #[test]
    fn one_reviewer_decides_where_one_is_enough() {
        for action in [Action::Approve, Action::Reject] {
            assert_eq!(judge(&[], ANN, action, moment(0), false), Ok(ActionOutcome::Decided));
        }
    }

    #[test]
    fn a_claim_keeps_the_others_away_for_an_hour() {
        let steps = steps(&[(ANN, Action::Claim, 0)]);
        for action in Action::VARIANTS {
            assert_eq!(judge(&steps, BOB, *action, moment(59), false), Err(ReviewError::Claimed));
        }
        assert_eq!(judge(&steps, ANN, Action::Approve, moment(59), false), Ok(ActionOutcome::Decided));
        assert_eq!(judge(&steps, BOB, Action::Approve, moment(60), false), Ok(ActionOutcome::Decided));
    }

    #[test]
    fn only_who_has_it_gives_it_back() {
        assert_eq!(judge(&[], ANN, Action::Release, moment(0), false), Err(ReviewError::NotClaimed));
        let claimed = steps(&[(ANN, Action::Claim, 0)]);
        assert_eq!(judge(&claimed, ANN, Action::Release, moment(1), false), Ok(ActionOutcome::Noted));
        let released = steps(&[(ANN, Action::Claim, 0), (ANN, Action::Release, 1)]);
        assert_eq!(judge(&released, BOB, Action::Claim, moment(2), false), Ok(ActionOutcome::Noted));
    }

    #[test]
    fn with_four_eyes_two_different_reviewers_must_agree() {
        let proposed = steps(&[(ANN, Action::Approve, 0)]);
        assert_eq!(judge(&[], ANN, Action::Approve, moment(0), true), Ok(ActionOutcome::Noted));
        assert_eq!(judge(&proposed, ANN, Action::Approve, moment(1), true), Err(ReviewError::SecondReviewerNeeded));
        assert_eq!(judge(&proposed, ANN, Action::Claim, moment(1), true), Err(ReviewError::SecondReviewerNeeded));
        assert_eq!(judge(&proposed, BOB, Action::Approve, moment(1), true), Ok(ActionOutcome::Decided));
    }

    #[test]
    fn with_four_eyes_a_contrary_decision_becomes_the_proposal() {
        let contrary = steps(&[(ANN, Action::Approve, 0), (BOB, Action::Reject, 1)]);
        assert_eq!(judge(&contrary[..1], BOB, Action::Reject, moment(1), true), Ok(ActionOutcome::Noted));
        assert_eq!(judge(&contrary, BOB, Action::Reject, moment(2), true), Err(ReviewError::SecondReviewerNeeded));
        assert_eq!(judge(&contrary, ANN, Action::Reject, moment(2), true), Ok(ActionOutcome::Decided));
        assert_eq!(judge(&contrary, ANN, Action::Approve, moment(2), true), Ok(ActionOutcome::Noted));
    }

    #[test]
    fn a_proposal_about_other_data_waits_no_more() {
        let proposed = steps(&[(ANN, Action::Approve, 0)]);
        let changed = Moment { now: at(5), changed_at: at(3) };
        assert_eq!(judge(&proposed, BOB, Action::Approve, changed, true), Ok(ActionOutcome::Noted));
        assert_eq!(judge(&proposed, ANN, Action::Approve, changed, true), Ok(ActionOutcome::Noted));
    }

    #[test]
    fn every_action_is_read_back_from_its_text() {
        for action in Action::VARIANTS {
            assert_eq!(action.into_str().parse(), Ok(*action));
        }
    }
}
