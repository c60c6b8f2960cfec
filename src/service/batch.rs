//! Creating many users by one request, each as by a request of its own.

use futures_util::{StreamExt as _, stream};
use kira_gateway::Alone;
use kira_gateway::error;
use kira_gateway::error::{ErrorReason, details};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;
use uuid::Uuid;

use super::failure::corrupt;
use super::request::{caller, checked_id};
use super::users::{Created, Users};
use crate::contract::v1;
use crate::contract::v1::create_user_request::User as Create;
use crate::extra_cost::ExtraCost;

/// Users of one batch that are created at a time. A few keep the database busy while files are stored, and no more than
/// these stand in the way of other requests.
const AT_A_TIME: usize = 4;

impl Users {
    /// Creates each user of a batch, or says why not.
    pub(super) async fn create_batch(
        &self,
        mut request: Request<v1::BatchCreateUsersRequest>,
    ) -> Result<Response<v1::BatchCreateUsersResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut alone = Alone::of(&mut request);
        let cost = request.extensions_mut().remove::<ExtraCost>();
        let users = request.into_inner().users;
        if let Some(cost) = cost {
            // The request itself has been counted as one.
            cost.charge(u16::try_from(users.len().saturating_sub(1)).unwrap_or(u16::MAX));
        }
        let judged = users.into_iter().enumerate().map(|(index, user)| (alone.refusal(index), user));
        let results = judged.map(|(refusal, user)| {
            // A span of its own: the line of the request in the log is about no single user.
            let span = tracing::info_span!("create_user_of_batch");
            async move { result(self.create_element(client_id, refusal, user).await) }.instrument(span)
        });
        let results = stream::iter(results).buffered(AT_A_TIME).collect().await;
        Ok(Response::new(v1::BatchCreateUsersResponse { results }))
    }

    async fn create_element(
        &self,
        client_id: Uuid,
        refusal: Option<Status>,
        user: v1::BatchUser,
    ) -> Result<Created, Status> {
        use v1::batch_user::User;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let v1::BatchUser { idempotency_key, user } = user;
        let user = match user.ok_or_else(|| corrupt("a request that was not checked"))? {
            User::Individual(individual) => Create::Individual(individual),
            User::Business(business) => Create::Business(business),
        };
        self.create_once(client_id, checked_id(idempotency_key)?, user).await
    }
}

/// The outcome of one create as the batch answers it.
fn result(outcome: Result<Created, Status>) -> v1::BatchUserResult {
    let method = &v1::users_service_rest::CREATE_USER;
    match outcome {
        Ok(Created { user, is_replayed, .. }) => v1::BatchUserResult {
            status: u32::from(if is_replayed { method.replay_code } else { method.success_code }),
            user: Some(user),
            ..v1::BatchUserResult::default()
        },
        Err(status) => refused(&error::complete(status)),
    }
}

/// The error of one create, as the REST API writes it.
fn refused(status: &Status) -> v1::BatchUserResult {
    let details = details(status);
    let reason = details.as_ref().map_or(ErrorReason::InternalError, |details| details.reason);
    let retry_after = details.as_ref().and_then(|details| details.retry_after);
    let error = match reason {
        ErrorReason::InvalidRequest => v1::BatchUserError {
            error: Some(reason.message().to_owned()),
            details: details.into_iter().flat_map(|details| details.violations).map(violation).collect(),
            ..v1::BatchUserError::default()
        },
        _ => v1::BatchUserError {
            code: Some(reason.machine_code().to_owned()),
            message: Some(status.message().to_owned()),
            ..v1::BatchUserError::default()
        },
    };
    v1::BatchUserResult {
        status: u32::from(reason.http_status()),
        user: None,
        error: Some(error),
        retry_after: retry_after.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
    }
}

fn violation(found: error::FieldViolation) -> v1::Violation {
    v1::Violation { path: found.field, message: found.description, code: found.reason }
}
