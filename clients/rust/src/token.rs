//! The token of the client, renewed before it ends.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::Status;

use crate::channel::Connection;
use crate::v1;
use crate::v1::auth_service_client::AuthServiceClient;

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);

/// What a client proves itself by. Prints nothing of it.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    pub(crate) password: String,
    pub(crate) api_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The current token. Calls that need one at the same time wait for one request.
pub(crate) struct Tokens {
    auth: AuthServiceClient<Connection>,
    credentials: Credentials,
    timeout: Duration,
    current: Mutex<Option<(HeaderValue, Instant)>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(crate) fn new(channel: Connection, credentials: Credentials, timeout: Duration) -> Self {
        Self { auth: AuthServiceClient::new(channel), credentials, timeout, current: Mutex::new(None) }
    }

    /// The value of `x-api-key`.
    pub(crate) fn api_key(&self) -> Result<HeaderValue, Status> {
        header(&self.credentials.api_key)
    }

    /// The value of `authorization`.
    pub(crate) async fn current(&self) -> Result<HeaderValue, Status> {
        let mut current = self.current.lock().await;
        if let Some((token, until)) = &*current
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let (token, life) = self.issue().await?;
        *current = Some((token.clone(), Instant::now() + life));
        Ok(token)
    }

    /// Forgets a token that the service does not accept, unless another has taken its place.
    pub(crate) async fn forget(&self, token: &HeaderValue) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|(known, _)| known == token) {
            *current = None;
        }
    }

    async fn issue(&self) -> Result<(HeaderValue, Duration), Status> {
        let Credentials { client_id, password, api_key } = self.credentials.clone();
        let request =
            v1::CreateTokenRequest { api_key: Some(api_key), client_id: Some(client_id), password: Some(password) };
        let mut auth = self.auth.clone();
        let answer = tokio::time::timeout(self.timeout, auth.create_token(request)).await;
        let answer = answer.map_err(|_| Status::deadline_exceeded("the service did not issue a token in time"))??;
        let token = answer.into_inner().data.unwrap_or_default();
        let life = Duration::from_secs(token.expires_in.into());
        Ok((
            header(&format!("Bearer {}", token.access_token))?,
            life.saturating_sub(MARGIN).max(Duration::from_secs(1)),
        ))
    }
}

/// A header that nothing prints.
fn header(text: &str) -> Result<HeaderValue, Status> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Status::unauthenticated("the credentials have characters that no header takes"))?;
    value.set_sensitive(true);
    Ok(value)
}
