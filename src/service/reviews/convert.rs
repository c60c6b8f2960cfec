//! Conversion of reviews to the contract.

use chrono::{DateTime, Utc};
use tonic::Status;

use super::admin::steps;
use crate::contract::v1;
use crate::domain::review;
use crate::domain::verification::{AttemptState, Reason};
use crate::service::convert::whole_seconds;
use crate::service::failure::corrupt;
use crate::store::{ReviewRecord, ReviewStepRecord};

/// Opens the note of a step.
pub(super) type OpenNote<'a> = &'a (dyn Fn(&ReviewStepRecord) -> Result<Option<String>, Status> + Sync);

/// A review, with its notes where they can be opened.
pub(super) fn review(
    record: &ReviewRecord,
    now: DateTime<Utc>,
    open: Option<OpenNote<'_>>,
) -> Result<v1::Review, Status> {
    let rules = steps(&record.steps).ok_or_else(|| corrupt("a stored review"))?;
    let state = record.state.parse::<AttemptState>().map_err(|_| corrupt("a stored attempt"))?;
    let reasons: Vec<Reason> =
        serde_json::from_value(record.reasons.clone()).map_err(|_| corrupt("the reasons of an attempt"))?;
    let shown = record.steps.iter().map(|record| step(record, open)).collect::<Result<Vec<_>, _>>()?;
    let waits = state == AttemptState::Review;
    let claim = review::holder(&rules, now).filter(|_| waits).and_then(|(_, until)| {
        let reviewer = record.steps.last()?.reviewer.clone();
        Some(v1::ReviewClaim { reviewer, until: Some(whole_seconds(until)) })
    });
    let proposed = rules
        .iter()
        .zip(&shown)
        .rev()
        .find(|(step, _)| Some(*step) == review::proposal(&rules, record.user_updated_at));
    let decision = match state {
        AttemptState::Verified => v1::ReviewDecision::Approved,
        AttemptState::Rejected => v1::ReviewDecision::Rejected,
        AttemptState::Superseded => v1::ReviewDecision::Superseded,
        AttemptState::Pending | AttemptState::Running | AttemptState::Review => v1::ReviewDecision::Unspecified,
    };
    Ok(v1::Review {
        id: record.attempt_id.to_string(),
        user_id: record.user_id.to_string(),
        user_type: user_type(&record.kind).into(),
        client_id: record.client_id.to_string(),
        client_name: record.client_name.clone(),
        provider: record.provider.clone(),
        reasons: reasons.into_iter().map(status_reason).collect(),
        created_at: Some(whole_seconds(record.created_at)),
        claim,
        proposal: proposed.filter(|_| waits).map(|(_, step)| step.clone()),
        decision: decision.into(),
        steps: shown,
    })
}

/// A reason in the words of the contract.
fn status_reason(Reason { code, message, path }: Reason) -> v1::StatusReason {
    v1::StatusReason { code, message, path }
}

fn step(record: &ReviewStepRecord, open: Option<OpenNote<'_>>) -> Result<v1::ReviewStep, Status> {
    let action = match record.action.parse().map_err(|_| corrupt("a step of a review"))? {
        review::Action::Claim => v1::ReviewAction::Claim,
        review::Action::Release => v1::ReviewAction::Release,
        review::Action::Approve => v1::ReviewAction::Approve,
        review::Action::Reject => v1::ReviewAction::Reject,
    };
    Ok(v1::ReviewStep {
        action: action.into(),
        reviewer: record.reviewer.clone(),
        reviewer_id: record.reviewer_id.map(|id| id.to_string()),
        reason: record.reason.clone(),
        note: open.map(|open| open(record)).transpose()?.flatten(),
        created_at: Some(whole_seconds(record.created_at)),
    })
}

fn user_type(kind: &str) -> v1::UserType {
    let all = [v1::UserType::Individual, v1::UserType::Business];
    all.into_iter().find(|user_type| user_type.json_name() == kind).unwrap_or(v1::UserType::Unspecified)
}
