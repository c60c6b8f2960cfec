//! The reviews service: what waits for a human, and what the human decides.

mod desk;
mod show;

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::{Request, Response, Status};

pub use self::desk::{Act, ReviewDesk, Reviewer};
use super::etag;
use super::failure::of_store;
use super::request::{caller, checked_id};
use crate::contract::v1;
use crate::contract::v1::reviews_service_server::ReviewsService;
use crate::domain::review::Action;
use crate::store::ReviewPage;

/// How many reviews a list shows where the caller does not say.
const DEFAULT_LIMIT: u32 = 10;

/// The desk as a service of the contract.
pub struct Reviews {
    /// Where the work is done.
    pub desk: ReviewDesk,
}

#[tonic::async_trait]
impl ReviewsService for Reviews {
    async fn list_reviews(
        &self,
        request: Request<v1::ListReviewsRequest>,
    ) -> Result<Response<v1::ListReviewsResponse>, Status> {
        let v1::ListReviewsRequest { limit, offset, client_id } = request.into_inner();
        let (limit, offset) = (limit.unwrap_or(DEFAULT_LIMIT), offset.unwrap_or_default());
        let client_id = client_id.map(|id| checked_id(Some(id))).transpose()?;
        let page = ReviewPage { client_id, limit: limit.into(), offset: offset.into() };
        let (data, total) = self.desk.list(page).await?;
        let has_more = u64::from(offset) + (data.len() as u64) < total;
        let pagination =
            Some(v1::Pagination { total: u32::try_from(total).unwrap_or(u32::MAX), limit, offset, has_more });
        Ok(Response::new(v1::ListReviewsResponse { data, pagination }))
    }

    async fn get_review(
        &self,
        request: Request<v1::GetReviewRequest>,
    ) -> Result<Response<v1::GetReviewResponse>, Status> {
        let id = checked_id(request.into_inner().review_id)?;
        let (review, user, version) = self.desk.get(id).await?;
        Ok(etag::tagged(v1::GetReviewResponse { review: Some(review), user: Some(user) }, version))
    }

    async fn claim_review(
        &self,
        request: Request<v1::ClaimReviewRequest>,
    ) -> Result<Response<v1::ClaimReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let id = checked_id(request.into_inner().review_id)?;
        let review = Some(self.desk.act(id, reviewer, Act::plain(Action::Claim)).await?);
        Ok(Response::new(v1::ClaimReviewResponse { review }))
    }

    async fn release_review(
        &self,
        request: Request<v1::ReleaseReviewRequest>,
    ) -> Result<Response<v1::ReleaseReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let id = checked_id(request.into_inner().review_id)?;
        let review = Some(self.desk.act(id, reviewer, Act::plain(Action::Release)).await?);
        Ok(Response::new(v1::ReleaseReviewResponse { review }))
    }

    async fn approve_review(
        &self,
        request: Request<v1::ApproveReviewRequest>,
    ) -> Result<Response<v1::ApproveReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let v1::ApproveReviewRequest { review_id, reason, note, if_match } = request.into_inner();
        let act = Act { action: Action::Approve, reason, note, if_match };
        let review = Some(self.desk.act(checked_id(review_id)?, reviewer, act).await?);
        Ok(Response::new(v1::ApproveReviewResponse { review }))
    }

    async fn reject_review(
        &self,
        request: Request<v1::RejectReviewRequest>,
    ) -> Result<Response<v1::RejectReviewResponse>, Status> {
        let reviewer = self.reviewer(&request).await?;
        let v1::RejectReviewRequest { review_id, reason, note, if_match } = request.into_inner();
        let act = Act { action: Action::Reject, reason, note, if_match };
        let review = Some(self.desk.act(checked_id(review_id)?, reviewer, act).await?);
        Ok(Response::new(v1::RejectReviewResponse { review }))
    }
}

impl Reviews {
    /// The reviewer that makes the call, with the name that it has now.
    async fn reviewer<T>(&self, request: &Request<T>) -> Result<Reviewer, Status> {
        let id = caller(request)?.client_id;
        let client = self.desk.users.store.find_client(id).await.map_err(of_store)?;
        let client = client.ok_or_else(|| error::because(ErrorReason::Forbidden))?;
        Ok(Reviewer { id: Some(id), name: client.name })
    }
}
