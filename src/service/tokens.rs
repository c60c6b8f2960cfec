//! The token service: decisions, section 1, `POST /auth`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::auth::Authenticator;
use crate::contract::v1;
use crate::contract::v1::auth_service_server::AuthService;

/// Issues access tokens to clients, and publishes the keys that verify them.
pub struct Tokens {
    /// Knows the clients and the keys.
    pub authenticator: Arc<Authenticator>,
}

#[tonic::async_trait]
impl AuthService for Tokens {
    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let v1::CreateTokenRequest { api_key, client_id, password } = request.into_inner();
        let issued = self.authenticator.issue_token(
            api_key.as_deref(),
            client_id.as_deref().unwrap_or_default(),
            password.as_deref().unwrap_or_default(),
        );
        let issued = issued.await?;
        Ok(Response::new(v1::CreateTokenResponse {
            message: "Auth token".to_owned(),
            data: Some(v1::AccessToken {
                access_token: issued.access_token,
                expires_in: u32::try_from(issued.expires_in).unwrap_or(u32::MAX),
                token_type: "Bearer".to_owned(),
            }),
        }))
    }

    async fn get_token_keys(
        &self,
        _: Request<v1::GetTokenKeysRequest>,
    ) -> Result<Response<v1::GetTokenKeysResponse>, Status> {
        let keys = self.authenticator.jwks().into_iter().map(|key| v1::TokenKey {
            kty: key.kty.to_owned(),
            crv: key.crv.to_owned(),
            alg: key.alg.to_owned(),
            r#use: key.usage.to_owned(),
            kid: key.kid,
            x: key.x,
        });
        Ok(Response::new(v1::GetTokenKeysResponse { keys: keys.collect() }))
    }
}
