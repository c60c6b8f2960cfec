//! The history of a user, for both protocols.

use kira_gateway::error;
use kira_gateway::problem::{Path, Problems};
use tonic::{Request, Response, Status};

use super::convert::{status, status_reason, whole_seconds};
use super::failure::{corrupt, of_store};
use super::request::{caller, checked_id, note_user};
use super::users::user_not_found;
use crate::contract::v1;
use crate::contract::v1::history_service_server::HistoryService;
use crate::domain::history::{Action, Actor};
use crate::domain::status::Status as UserStatus;
use crate::domain::verification::Reason;
use crate::store::{HistoryRecord, Store};

/// How many entries a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 10;

/// Shows what happened to users.
pub struct History {
    /// The database.
    pub store: Store,
}

#[tonic::async_trait]
impl HistoryService for History {
    async fn list_user_history(
        &self,
        request: Request<v1::ListUserHistoryRequest>,
    ) -> Result<Response<v1::ListUserHistoryResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::ListUserHistoryRequest { user_id, limit, cursor } = request.into_inner();
        let user_id = checked_id(user_id)?;
        note_user(user_id);
        let before = cursor.as_deref().map(version).transpose()?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        // One more than is shown says whether there are more.
        let found =
            self.store.list_history(client_id, user_id, before, u64::from(limit) + 1).await.map_err(of_store)?;
        let mut found = found.ok_or_else(|| user_not_found(user_id))?;
        let shown = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = found.len() > shown;
        found.truncate(shown);
        let next_cursor = found.last().filter(|_| has_more).map(|entry| entry.version.to_string());
        let data = found.into_iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListUserHistoryResponse { data, next_cursor, has_more }))
    }
}

/// The version that a cursor of ours names.
fn version(cursor: &str) -> Result<i64, Status> {
    cursor.parse().map_err(|_| {
        let mut problems = Problems::default();
        problems.push(Path::key(0, "cursor"), "invalid_string", "Invalid cursor");
        error::invalid_request(problems)
    })
}

fn entry(record: HistoryRecord) -> Result<v1::HistoryEntry, Status> {
    let broken = || corrupt("an entry of a user's history");
    let status_of = |text: &str| text.parse::<UserStatus>().map(status).map_err(|_| broken());
    let reasons: Vec<Reason> =
        record.reasons.map(serde_json::from_value).transpose().map_err(|_| broken())?.unwrap_or_default();
    let previous = record.previous_status.as_deref().map(status_of).transpose()?;
    Ok(v1::HistoryEntry {
        version: u32::try_from(record.version).map_err(|_| broken())?,
        action: action(record.action.parse().map_err(|_| broken())?).into(),
        actor: actor(record.actor.parse().map_err(|_| broken())?).into(),
        provider: record.provider,
        fields: serde_json::from_value(record.fields).map_err(|_| broken())?,
        previous_status: previous.map(Into::into),
        status: status_of(&record.status)?.into(),
        reasons: reasons.into_iter().map(status_reason).collect(),
        verification_id: record.attempt_id.map(|id| id.to_string()),
        created_at: Some(whole_seconds(record.created_at)),
    })
}

const fn action(action: Action) -> v1::HistoryAction {
    match action {
        Action::Created => v1::HistoryAction::Created,
        Action::Updated => v1::HistoryAction::Updated,
        Action::VerificationRequested => v1::HistoryAction::VerificationRequested,
        Action::VerificationBegun => v1::HistoryAction::VerificationBegun,
        Action::VerificationDecided => v1::HistoryAction::VerificationDecided,
        Action::VerificationOverdue => v1::HistoryAction::VerificationOverdue,
        Action::ReviewDecided => v1::HistoryAction::ReviewDecided,
    }
}

const fn actor(actor: Actor) -> v1::HistoryActor {
    match actor {
        Actor::Client => v1::HistoryActor::Client,
        Actor::Worker => v1::HistoryActor::Worker,
        Actor::Provider => v1::HistoryActor::Provider,
        Actor::Reviewer => v1::HistoryActor::Reviewer,
    }
}
