//! Results that an outside verification provider reports by itself.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::failure::{corrupt, of_store, of_vault};
use crate::contract::v1;
use crate::contract::v1::verification_callbacks_service_server::VerificationCallbacksService;
use crate::domain::verification::{AttemptState, Decision};
use crate::env::SharedEnv;
use crate::signing::{SignedHeaders, SigningSecret};
use crate::store::{AttemptRecord, ProviderAnswer, Store};
use crate::vault::{AeadContext, DataKey, Owner, SEAL_OVERHEAD, Vault};
use crate::verification::vendor::{self, Callback};

/// Receives callbacks, if the configured provider sends them.
pub struct Callbacks {
    /// The database.
    pub store: Store,
    /// Seals the provider's answers.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// What the provider signs with; none: there is no such provider.
    pub secret: Option<SigningSecret>,
}

#[tonic::async_trait]
impl VerificationCallbacksService for Callbacks {
    async fn receive_verification_result(
        &self,
        request: Request<v1::ReceiveVerificationResultRequest>,
    ) -> Result<Response<v1::ReceiveVerificationResultResponse>, Status> {
        let message = request.into_inner();
        let Some(secret) = &self.secret else {
            return Err(error::status(ErrorReason::NotFound, "No verification provider calls back here"));
        };
        let headers = SignedHeaders {
            id: message.webhook_id.as_deref(),
            timestamp: message.webhook_timestamp.as_deref(),
            signature: message.webhook_signature.as_deref(),
        };
        secret.verify(headers, &message.payload, self.env.now()).map_err(|refusal| {
            // Unauthenticated callers can send these; the request's own log line counts them.
            tracing::debug!(%refusal, "a verification callback has no valid signature");
            error::status(ErrorReason::Unauthorized, "Invalid signature")
        })?;
        let Some(callback) = Callback::read(&message.payload) else {
            return Err(error::invalid("custom", "The payload is not a verification result"));
        };
        let id = callback.attempt_id;
        let attempt = self.store.find_any_attempt(id).await.map_err(of_store)?;
        let Some(attempt) = attempt.filter(|attempt| attempt.provider.as_deref() == Some(vendor::NAME)) else {
            return Err(error::status(ErrorReason::NotFound, format!("Verification with ID {id} not found")));
        };
        let applied = self.settle(&attempt, callback, &message.payload).await?;
        tracing::info!(attempt = %id, applied, "a verification callback");
        Ok(Response::new(v1::ReceiveVerificationResultResponse { applied }))
    }
}

impl Callbacks {
    /// Stores the result. Returns whether it changed anything: a late or repeated one does not.
    async fn settle(&self, attempt: &AttemptRecord, callback: Callback, payload: &[u8]) -> Result<bool, Status> {
        let Some(outcome) = callback.outcome else { return Ok(false) };
        if outcome.decision == Decision::Review && attempt.state == AttemptState::Review.into_str() {
            return Ok(false);
        }
        let key = self.data_key(attempt.client_id, attempt.user_id).await?;
        let mut plaintext = Vec::with_capacity(payload.len() + SEAL_OVERHEAD);
        plaintext.extend_from_slice(payload);
        let seal_reference = |text: String| key.seal(&AeadContext::ProviderReference(attempt.id), text.into_bytes());
        let answer = ProviderAnswer {
            sealed_reference: callback.reference.map(seal_reference),
            sealed: Some(key.seal(&AeadContext::ProviderAnswer(attempt.id), plaintext)),
        };
        let (client_id, user_id) = (attempt.client_id, attempt.user_id);
        let env = self.env.as_ref();
        let decided = self.store.decide_verification(env, client_id, user_id, attempt.id, &outcome, answer);
        decided.await.map_err(of_store)
    }

    /// The data key of the user.
    async fn data_key(&self, client_id: Uuid, user_id: Uuid) -> Result<DataKey, Status> {
        let user = self.store.find_user(client_id, user_id).await.map_err(of_store)?;
        let user = user.ok_or_else(|| corrupt("a verification without its user"))?;
        self.vault.open_data_key(Owner { client_id, user_id }, &user.wrapped_key).map_err(of_vault)
    }
}
