//! What an outcome writes: the state machine of the domain over the rows of the store.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::ambient::Ambient;
use crate::domain::status::Status;
use crate::domain::verification::{AttemptState, EventKind, Input, Outcome, Reason, Standing, Transition, transition};
use crate::store::{AttemptChange, AttemptView, NewEvent};

/// What an outcome makes of an attempt and its user; none where it changes nothing: the attempt has ended, or is not the
/// user's current one.
#[must_use]
pub fn decided(
    view: &AttemptView,
    outcome: &Outcome,
    now: DateTime<Utc>,
    ambient: &dyn Ambient,
) -> Option<AttemptChange> {
    let (from, transition) = step(view, Input::Decided(outcome))?;
    Some(AttemptChange {
        assurance: Some(outcome.assurance.as_str().to_owned()),
        reasons: Some(json!(outcome.reasons)),
        finished_at: transition.attempt.is_final().then_some(now),
        ..change(view, from, transition, &outcome.reasons, ambient)
    })
}

/// What happens to an attempt and its user, and the status before.
fn step(view: &AttemptView, input: Input<'_>) -> Option<(Status, Transition)> {
    let status = view.status.parse().ok()?;
    let attempt = view.state.parse::<AttemptState>().ok().filter(|_| view.is_current);
    Some((status, transition(Standing { status, attempt }, input).ok()?))
}

/// The rows that follow from a transition.
fn change(
    view: &AttemptView,
    from: Status,
    Transition { status, attempt, events }: Transition,
    reasons: &[Reason],
    ambient: &dyn Ambient,
) -> AttemptChange {
    let event = |kind: &EventKind| NewEvent {
        id: ambient.new_id(),
        kind: kind.as_str(),
        payload: payload(&view.kind, from, status, reasons),
    };
    AttemptChange {
        state: Some(attempt.as_str()),
        status: (status != from).then_some(status.as_str()),
        events: events.iter().map(event).collect(),
        ..AttemptChange::default()
    }
}

/// What receivers are told of a change of status (decisions, section 8): nothing personal.
fn payload(kind: &str, from: Status, to: Status, reasons: &[Reason]) -> serde_json::Value {
    let mut payload = json!({
        "type": kind,
        "status": to.as_str(),
        "verification_status": to.verification_status().as_str(),
        "previous_status": from.as_str(),
    });
    if !reasons.is_empty() {
        payload["reasons"] = json!(reasons);
    }
    payload
}
