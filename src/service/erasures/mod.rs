//! The end of a user: erasure, certificates, legal holds.

mod certificate;
mod eraser;
mod holds;

use prost::Message;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub use self::certificate::{InvalidCertificate, Statement, verify};
use self::eraser::Wish;
pub use self::eraser::{Eraser, Expired, Reapplied};
use crate::contract::v1;
use crate::contract::v1::erasures_service_server::ErasuresService;
use crate::domain::erasure::{Authority, Cause};
use crate::service::convert::whole_seconds;
use crate::service::idempotency::Keyed;
use crate::service::request::{answer, caller, checked_id};
use crate::store::ErasedUser;

/// Erases users, for both protocols.
pub struct Erasures {
    /// Erases users.
    pub eraser: Eraser,
}

#[tonic::async_trait]
impl ErasuresService for Erasures {
    async fn erase_user(
        &self,
        request: Request<v1::EraseUserRequest>,
    ) -> Result<Response<v1::EraseUserResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut message = request.into_inner();
        let keyed = {
            let key = message.idempotency_key.take();
            self.keyed(client_id, "erase_user", key, &message)?
        };
        let user_id = checked_id(message.user_id)?;
        let (if_match, keyed) = (message.if_match.as_deref(), keyed.as_ref());
        let wish = Wish { client_id, user_id, cause: Cause::Client, if_match, keyed };
        let (erased, was_erased) = self.eraser.fulfil(wish).await?;
        Ok(answer(v1::EraseUserResponse { certificate: Some(shown(&erased, &self.eraser)) }, was_erased))
    }

    async fn get_erasure_certificate(
        &self,
        request: Request<v1::GetErasureCertificateRequest>,
    ) -> Result<Response<v1::GetErasureCertificateResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let erased = self.eraser.erased(client_id, checked_id(request.into_inner().user_id)?).await?;
        let certificate = Some(shown(&erased, &self.eraser));
        Ok(Response::new(v1::GetErasureCertificateResponse { certificate }))
    }

    async fn list_holds(
        &self,
        request: Request<v1::ListHoldsRequest>,
    ) -> Result<Response<v1::ListHoldsResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let data = self.eraser.holds(client_id, checked_id(request.into_inner().user_id)?).await?;
        Ok(Response::new(v1::ListHoldsResponse { data }))
    }

    async fn place_hold(
        &self,
        request: Request<v1::PlaceHoldRequest>,
    ) -> Result<Response<v1::PlaceHoldResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut message = request.into_inner();
        let key = message.idempotency_key.take();
        let keyed = self.keyed(client_id, "place_hold", key, &message)?;
        let v1::PlaceHoldRequest { user_id, reason, .. } = message;
        let (user_id, reason) = (checked_id(user_id)?, reason.unwrap_or_default());
        let placed = self.eraser.place_hold(client_id, user_id, &reason, Authority::Client, keyed.as_ref());
        let (hold, was_placed) = placed.await?;
        Ok(answer(v1::PlaceHoldResponse { hold: Some(hold) }, was_placed))
    }

    async fn release_hold(
        &self,
        request: Request<v1::ReleaseHoldRequest>,
    ) -> Result<Response<v1::ReleaseHoldResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let mut message = request.into_inner();
        let key = message.idempotency_key.take();
        let keyed = self.keyed(client_id, "release_hold", key, &message)?;
        let id = (client_id, checked_id(message.user_id)?, checked_id(message.hold_id)?);
        let (hold, was_released) = self.eraser.release_hold(id, Authority::Client, keyed.as_ref()).await?;
        Ok(answer(v1::ReleaseHoldResponse { hold: Some(hold) }, was_released))
    }
}

impl Erasures {
    fn keyed<M: Message>(
        &self,
        client_id: Uuid,
        operation: &'static str,
        key: Option<String>,
        message: &M,
    ) -> Result<Option<Keyed>, Status> {
        Keyed::of(&self.eraser.users.fingerprints, client_id, operation, key, message)
    }
}

/// A certificate as it is shown.
pub fn shown(erased: &ErasedUser, eraser: &Eraser) -> v1::ErasureCertificate {
    // The row of a user that was erased again after a restore has a later time than its certificate.
    let erased_at = certificate::erased_at(&erased.certificate).unwrap_or(erased.erased_at);
    v1::ErasureCertificate {
        user_id: erased.user_id.to_string(),
        erased_at: Some(whole_seconds(erased_at)),
        statement: erased.certificate.statement.clone(),
        signature: erased.certificate.signature.clone(),
        public_key: eraser.key.public(),
    }
}
