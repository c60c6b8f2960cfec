//! The reviews service: the queue of open reviews, and reviewers' decisions.

mod admin;
mod convert;

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::{Request, Response, Status};

pub use self::admin::{Act, ReviewAdmin, Reviewer};
use super::etag;
use super::failure::of_store;
use super::request::{PageRequest, answer, caller, checked_id, optional_id};
use crate::contract::v1;
use crate::contract::v1::reviews_service_server::ReviewsService;
use crate::domain::review::Action;
use crate::store::ReviewPage;

/// How many reviews a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 10;

/// The admin as a service of the contract.
pub struct Reviews {
    /// The implementation, shared with the command line.
    pub admin: ReviewAdmin,
}

#[tonic::async_trait]
impl ReviewsService for Reviews {
    async fn list_reviews(
        &self,
        request: Request<v1::ListReviewsRequest>,
    ) -> Result<Response<v1::ListReviewsResponse>, Status> {
        let v1::ListReviewsRequest { limit, offset, cursor, client_id } = request.into_inner();
        let page = PageRequest::new(limit.unwrap_or(DEFAULT_LIMIT), offset, cursor.is_some())?;
        let id = |text: Option<String>| text.map(|id| checked_id(Some(id))).transpose();
        let (client_id, behind) = (id(client_id)?, id(cursor)?);
        let asked = ReviewPage { client_id, behind, limit: page.rows(), offset: page.offset.into() };
        let (mut data, total) = self.admin.list(asked).await?;
        let pagination = Some(page.end(&mut data, total, |review| &review.id));
        Ok(Response::new(v1::ListReviewsResponse { data, pagination }))
    }

    async fn get_review(
        &self,
        request: Request<v1::GetReviewRequest>,
    ) -> Result<Response<v1::GetReviewResponse>, Status> {
        let id = checked_id(request.into_inner().review_id)?;
        let (review, user, version) = self.admin.get(id).await?;
        Ok(etag::tagged(v1::GetReviewResponse { review: Some(review), user: Some(user) }, version))
    }

    async fn claim_review(
        &self,
        request: Request<v1::ClaimReviewRequest>,
    ) -> Result<Response<v1::ClaimReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let v1::ClaimReviewRequest { review_id, idempotency_key } = request.into_inner();
        let act = Act { key: optional_id(idempotency_key)?, ..Act::plain(Action::Claim) };
        let (review, taken) = self.admin.act(checked_id(review_id)?, reviewer, act).await?;
        Ok(answer(v1::ClaimReviewResponse { review: Some(review) }, taken))
    }

    async fn release_review(
        &self,
        request: Request<v1::ReleaseReviewRequest>,
    ) -> Result<Response<v1::ReleaseReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let v1::ReleaseReviewRequest { review_id, idempotency_key } = request.into_inner();
        let act = Act { key: optional_id(idempotency_key)?, ..Act::plain(Action::Release) };
        let (review, taken) = self.admin.act(checked_id(review_id)?, reviewer, act).await?;
        Ok(answer(v1::ReleaseReviewResponse { review: Some(review) }, taken))
    }

    async fn approve_review(
        &self,
        request: Request<v1::ApproveReviewRequest>,
    ) -> Result<Response<v1::ApproveReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let v1::ApproveReviewRequest { review_id, reason, note, if_match, idempotency_key } = request.into_inner();
        let act = Act { action: Action::Approve, reason, note, if_match, key: optional_id(idempotency_key)? };
        let (review, taken) = self.admin.act(checked_id(review_id)?, reviewer, act).await?;
        Ok(answer(v1::ApproveReviewResponse { review: Some(review) }, taken))
    }

    async fn reject_review(
        &self,
        request: Request<v1::RejectReviewRequest>,
    ) -> Result<Response<v1::RejectReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let v1::RejectReviewRequest { review_id, reason, note, if_match, idempotency_key } = request.into_inner();
        let act = Act { action: Action::Reject, reason, note, if_match, key: optional_id(idempotency_key)? };
        let (review, taken) = self.admin.act(checked_id(review_id)?, reviewer, act).await?;
        Ok(answer(v1::RejectReviewResponse { review: Some(review) }, taken))
    }
}

impl Reviews {
    /// The reviewer that makes the call, with the name that it has now.
    async fn reviewer<T>(&self, request: &Request<T>) -> Result<Reviewer, Status> {
        let id = caller(request)?.client_id;
        let client = self.admin.users.store.find_client(id).await.map_err(of_store)?;
        let client = client.ok_or_else(|| error::with_reason(ErrorReason::Forbidden))?;
        Ok(Reviewer { id: Some(id), name: client.name })
    }
}
