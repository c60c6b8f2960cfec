//! How reviewers decide: who may do what with a review, and when a decision counts.

use chrono::{DateTime, TimeDelta, Utc};

/// How long a claim keeps others away.
pub const CLAIM_LASTS: TimeDelta = TimeDelta::hours(1);

/// What a reviewer does with a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Keeps it from the others.
    Claim,
    /// Gives it back.
    Release,
    /// Would verify the user.
    Approve,
    /// Would reject the user.
    Reject,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Claim, Self::Release, Self::Approve, Self::Reject];

    /// The text that the database uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Release => "release",
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }

    const fn decides(self) -> bool {
        matches!(self, Self::Approve | Self::Reject)
    }
}

/// A text that names no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an action of a review")]
pub struct UnknownAction;

impl std::str::FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(UnknownAction)
    }
}

/// What was done with a review before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who did it.
    pub actor: String,
    /// What.
    pub action: Action,
    /// When.
    pub at: DateTime<Utc>,
}

/// What an action comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is one more step; the review still waits.
    Noted,
    /// The review is decided by it.
    Decided,
}

/// Why an action is not possible now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another reviewer is at it.
    #[error("Another reviewer has claimed this review")]
    Claimed,
    /// It can be given back by the one who has it alone.
    #[error("You have not claimed this review")]
    NotClaimed,
    /// Two must agree, and this one has spoken already.
    #[error("Your decision waits for the agreement of another reviewer")]
    SecondReviewerNeeded,
}

/// Who is at it, and until when.
#[must_use]
pub fn holder(steps: &[Step], now: DateTime<Utc>) -> Option<(&Step, DateTime<Utc>)> {
    let last = steps.last().filter(|step| step.action == Action::Claim)?;
    let until = last.at + CLAIM_LASTS;
    (now < until).then_some((last, until))
}

/// The decision that waits for another reviewer's agreement. One from before the user last changed waits no more: it was
/// about other data.
#[must_use]
pub fn proposal(steps: &[Step], changed_at: DateTime<Utc>) -> Option<&Step> {
    steps.iter().rev().find(|step| step.action.decides()).filter(|step| step.at >= changed_at)
}

/// The times that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of the action.
    pub now: DateTime<Utc>,
    /// When the user last changed.
    pub changed_at: DateTime<Utc>,
}

/// What comes of an action. With `four_eyes` a decision counts when two different reviewers, one after the other, make
/// the same; a contrary one becomes the new proposal.
///
/// # Errors
/// Why it is not possible.
pub fn judge(
    steps: &[Step],
    actor: &str,
    action: Action,
    Moment { now, changed_at }: Moment,
    four_eyes: bool,
) -> Result<Effect, Refusal> {
    let held_by = holder(steps, now).map(|(step, _)| step.actor.as_str());
    if held_by.is_some_and(|holder| holder != actor) {
        return Err(Refusal::Claimed);
    }
    let proposal = proposal(steps, changed_at);
    match action {
        Action::Release if held_by.is_none() => Err(Refusal::NotClaimed),
        Action::Release => Ok(Effect::Noted),
        // Nobody else could agree with it for the time of the claim.
        Action::Claim if proposal.is_some_and(|proposal| proposal.actor == actor) => Err(Refusal::SecondReviewerNeeded),
        Action::Claim => Ok(Effect::Noted),
        Action::Approve | Action::Reject if !four_eyes => Ok(Effect::Decided),
        Action::Approve | Action::Reject => match proposal {
            Some(proposal) if proposal.action == action && proposal.actor == actor => {
                Err(Refusal::SecondReviewerNeeded)
            }
            Some(proposal) if proposal.action == action => Ok(Effect::Decided),
            _ => Ok(Effect::Noted),
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
            assert_eq!(judge(&[], ANN, action, moment(0), false), Ok(Effect::Decided));
        }
    }

    #[test]
    fn a_claim_keeps_the_others_away_for_an_hour() {
        let steps = steps(&[(ANN, Action::Claim, 0)]);
        for action in Action::ALL {
            assert_eq!(judge(&steps, BOB, action, moment(59), false), Err(Refusal::Claimed));
        }
        assert_eq!(judge(&steps, ANN, Action::Approve, moment(59), false), Ok(Effect::Decided));
        assert_eq!(judge(&steps, BOB, Action::Approve, moment(60), false), Ok(Effect::Decided));
    }

    #[test]
    fn only_who_has_it_gives_it_back() {
        assert_eq!(judge(&[], ANN, Action::Release, moment(0), false), Err(Refusal::NotClaimed));
        let claimed = steps(&[(ANN, Action::Claim, 0)]);
        assert_eq!(judge(&claimed, ANN, Action::Release, moment(1), false), Ok(Effect::Noted));
        let released = steps(&[(ANN, Action::Claim, 0), (ANN, Action::Release, 1)]);
        assert_eq!(judge(&released, BOB, Action::Claim, moment(2), false), Ok(Effect::Noted));
    }

    #[test]
    fn with_four_eyes_two_different_reviewers_must_agree() {
        let proposed = steps(&[(ANN, Action::Approve, 0)]);
        assert_eq!(judge(&[], ANN, Action::Approve, moment(0), true), Ok(Effect::Noted));
        assert_eq!(judge(&proposed, ANN, Action::Approve, moment(1), true), Err(Refusal::SecondReviewerNeeded));
        assert_eq!(judge(&proposed, ANN, Action::Claim, moment(1), true), Err(Refusal::SecondReviewerNeeded));
        assert_eq!(judge(&proposed, BOB, Action::Approve, moment(1), true), Ok(Effect::Decided));
    }

    #[test]
    fn with_four_eyes_a_contrary_decision_becomes_the_proposal() {
        let contrary = steps(&[(ANN, Action::Approve, 0), (BOB, Action::Reject, 1)]);
        assert_eq!(judge(&contrary[..1], BOB, Action::Reject, moment(1), true), Ok(Effect::Noted));
        assert_eq!(judge(&contrary, BOB, Action::Reject, moment(2), true), Err(Refusal::SecondReviewerNeeded));
        assert_eq!(judge(&contrary, ANN, Action::Reject, moment(2), true), Ok(Effect::Decided));
        assert_eq!(judge(&contrary, ANN, Action::Approve, moment(2), true), Ok(Effect::Noted));
    }

    #[test]
    fn a_proposal_about_other_data_waits_no_more() {
        let proposed = steps(&[(ANN, Action::Approve, 0)]);
        let changed = Moment { now: at(5), changed_at: at(3) };
        assert_eq!(judge(&proposed, BOB, Action::Approve, changed, true), Ok(Effect::Noted));
        assert_eq!(judge(&proposed, ANN, Action::Approve, changed, true), Ok(Effect::Noted));
    }

    #[test]
    fn every_action_is_read_back_from_its_text() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
        }
    }
}
