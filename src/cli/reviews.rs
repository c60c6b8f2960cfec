//! `review list|show|claim|release|approve|reject`.

use kira_gateway::json::to_vec;
use serde_json::Value;
use uuid::Uuid;

use super::arguments::{Decision, ReviewCommand};
use super::output::{print_line, table, time};
use super::{Failure, failure};
use crate::contract::v1;
use crate::domain::review::Action;
use crate::service::reviews::{Act, ReviewAdmin, Reviewer};
use crate::store::ReviewPage;

pub(super) async fn execute(command: ReviewCommand, admin: ReviewAdmin) -> Result<(), Failure> {
    match command {
        ReviewCommand::List { limit, format } => {
            let page = ReviewPage { limit, ..ReviewPage::default() };
            let (reviews, total) = admin.list(page).await.map_err(failure)?;
            print_line(if format.json { list_json(&reviews)?.to_string() } else { list_text(&reviews, total) })?;
        }
        ReviewCommand::Show { id } => {
            let (review, user, _) = admin.get(id).await.map_err(failure)?;
            let shown = v1::GetReviewResponse { review: Some(review), user: Some(user) };
            print_line(serde_json::to_string_pretty(&serde_json::from_slice::<Value>(&to_vec(&shown))?)?)?;
        }
        ReviewCommand::Claim { id, by } => {
            act(&admin, id, by.name, Act::plain(Action::Claim)).await?;
        }
        ReviewCommand::Release { id, by } => {
            act(&admin, id, by.name, Act::plain(Action::Release)).await?;
        }
        ReviewCommand::Approve { id, by, reason, decision: Decision { note } } => {
            act(&admin, id, by.name, Act { reason, note, ..Act::plain(Action::Approve) }).await?;
        }
        ReviewCommand::Reject { id, by, reason, decision: Decision { note } } => {
            act(&admin, id, by.name, Act { reason: Some(reason), note, ..Act::plain(Action::Reject) }).await?;
        }
    }
    Ok(())
}

async fn act(admin: &ReviewAdmin, id: Uuid, name: String, act: Act) -> Result<(), Failure> {
    let (review, _) = admin.act(id, Reviewer { id: None, name }, act).await.map_err(failure)?;
    print_line(match (review.decision(), &review.proposal, &review.claim) {
        (v1::ReviewDecision::Approved, _, _) => format!("The user {} is verified.", review.user_id),
        (v1::ReviewDecision::Rejected, _, _) => format!("The user {} is rejected.", review.user_id),
        (_, _, Some(claim)) => format!("The review is {}'s until {}.", claim.reviewer, stamp(claim.until.as_ref())),
        (_, Some(proposal), _) => format!("Noted; another reviewer than {} has to agree.", proposal.reviewer),
        (_, None, None) => "The review waits.".to_owned(),
    })?;
    Ok(())
}

fn list_json(reviews: &[v1::Review]) -> Result<Value, serde_json::Error> {
    reviews.iter().map(|review| serde_json::from_slice::<Value>(&to_vec(review))).collect()
}

fn list_text(reviews: &[v1::Review], total: u64) -> String {
    if reviews.is_empty() {
        return "No review waits.".to_owned();
    }
    let mut rows = vec![["REVIEW ID", "SINCE", "CLAIMED BY", "CLIENT", "REASONS"].map(str::to_owned).to_vec()];
    rows.extend(reviews.iter().map(|review| {
        let claimed = review.claim.as_ref().map_or_else(|| "-".to_owned(), |claim| claim.reviewer.clone());
        let codes: Vec<&str> = review.reasons.iter().map(|reason| reason.code.as_str()).collect();
        vec![
            review.id.clone(),
            stamp(review.created_at.as_ref()),
            claimed,
            review.client_name.clone(),
            codes.join(", "),
        ]
    }));
    let more = total - reviews.len() as u64;
    let rest = if more > 0 { format!("\n… and {more} more") } else { String::new() };
    format!("{}{rest}", table(&rows))
}

fn stamp(timestamp: Option<&prost_types::Timestamp>) -> String {
    timestamp
        .and_then(|timestamp| chrono::DateTime::from_timestamp(timestamp.seconds, 0))
        .map_or_else(|| "-".to_owned(), time)
}
