//! Where users are sent: a running service, or the same code in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use kira_gateway::rest::Gateway;
use serde::Deserialize;
use tokio::sync::RwLock;
use url::Url;
use uuid::Uuid;
use zeroize::ZeroizeOnDrop;

use super::super::Failure;
use crate::auth::{Caller, Role};

/// Time to reach the service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time of one create: above what the service itself allows by default.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
const CREATE: &str = "/v1/users";

/// The answer to one create.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Seconds.
    pub(super) retry_after: Option<u64>,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It may come when asked again.
    Yet(String),
    /// It will not: what is wrong is nothing of a line's.
    Ever(Failure),
}

/// Where users are sent.
pub(super) enum Target {
    /// A running service.
    Service(Box<Remote>),
    /// The service's own code, on the database of the configuration.
    Here { gateway: Gateway, caller: Caller },
}

impl Target {
    /// The client whose users they become.
    pub(super) fn client_id(&self) -> Uuid {
        match self {
            Self::Service(remote) => remote.credentials.client_id,
            Self::Here { caller, .. } => caller.client_id,
        }
    }

    /// Sends one create.
    pub(super) async fn create(&self, key: Uuid, body: Bytes, is_strict: bool) -> Result<Answer, NoAnswer> {
        match self {
            Self::Service(remote) => remote.create(key, body, is_strict).await,
            Self::Here { gateway, caller } => here(gateway, *caller, key, body, is_strict).await,
        }
    }
}

fn request(key: Uuid, is_strict: bool) -> http::request::Builder {
    let request = Request::builder().method(Method::POST).header(header::CONTENT_TYPE, "application/json");
    let request = request.header("idempotency-key", key.to_string());
    if is_strict { request.header("prefer", "handling=strict") } else { request }
}

async fn here(gateway: &Gateway, caller: Caller, key: Uuid, body: Bytes, is_strict: bool) -> Result<Answer, NoAnswer> {
    let never = |error: String| NoAnswer::Ever(error.into());
    let request = request(key, is_strict).uri(Uri::from_static(CREATE)).extension(caller).body(Full::new(body));
    let request = request.map_err(|error| never(error.to_string()))?;
    let route = gateway.find(request.method(), request.uri()).map_err(|error| never(error.to_string()))?;
    let (head, body) = gateway.call(route, request).await.into_parts();
    let body = body.collect().await.map_err(|error| never(error.to_string()))?.to_bytes();
    let retry_after = seconds(&head.headers);
    Ok(Answer { status: head.status.as_u16(), retry_after, body })
}

fn seconds(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// What `client create --json` prints.
#[derive(Deserialize, ZeroizeOnDrop)]
struct Credentials {
    #[zeroize(skip)]
    client_id: Uuid,
    password: String,
    api_key: String,
}

/// A running service.
pub(super) struct Remote {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
    /// With the number of times that it was renewed.
    token: RwLock<(u64, Arc<str>)>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    data: TokenData,
}

#[derive(Deserialize)]
struct TokenData {
    access_token: String,
}

impl Remote {
    /// Connects with the credentials in a file.
    pub(super) async fn open(base: Url, credentials: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(credentials).map(zeroize::Zeroizing::new);
        let text = text.map_err(|error| format!("cannot read {}: {error}", credentials.display()))?;
        // The text of the error could show a part of the file.
        let credentials: Credentials = serde_json::from_slice(&text).map_err(|_| {
            format!(
                "{} must have client_id, password and api_key, as `client create --json` prints them",
                credentials.display()
            )
        })?;
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("kira-users/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, base, credentials, token: RwLock::new((0, Arc::from(""))) })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    async fn create(&self, key: Uuid, body: Bytes, is_strict: bool) -> Result<Answer, NoAnswer> {
        let (number, token) = self.token.read().await.clone();
        let answer = if number == 0 { None } else { Some(self.send(key, body.clone(), is_strict, &token).await?) };
        match answer {
            Some(answer) if answer.status != StatusCode::UNAUTHORIZED.as_u16() => return Ok(answer),
            _ => self.renew_token(number).await?,
        }
        let token = Arc::clone(&self.token.read().await.1);
        let answer = self.send(key, body, is_strict, &token).await?;
        match answer.status {
            401 => Err(NoAnswer::Ever("the service refuses the client's credentials".into())),
            403 => Err(NoAnswer::Ever("the service does not allow the client to create users".into())),
            _ => Ok(answer),
        }
    }

    async fn send(&self, key: Uuid, body: Bytes, is_strict: bool, token: &str) -> Result<Answer, NoAnswer> {
        let yet = |error: reqwest::Error| NoAnswer::Yet(error.without_url().to_string());
        let head = request(key, is_strict).body(()).map_err(|error| NoAnswer::Ever(error.to_string().into()))?;
        let request = self.http.post(self.url(CREATE)).headers(head.headers().clone()).body(body);
        let request = request.bearer_auth(token).header("x-api-key", &self.credentials.api_key);
        let mut response = request.send().await.map_err(yet)?;
        let (status, retry_after) = (response.status().as_u16(), seconds(response.headers()));
        let mut read = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(yet)? {
            if read.len() + piece.len() > MAX_ANSWER {
                return Err(NoAnswer::Ever("the service sends an answer without end".into()));
            }
            read.extend_from_slice(&piece);
        }
        Ok(Answer { status, retry_after, body: read.into() })
    }

    /// Gets another token, unless someone has since the one of `number` was read.
    async fn renew_token(&self, number: u64) -> Result<(), NoAnswer> {
        let mut token = self.token.write().await;
        if token.0 != number {
            return Ok(());
        }
        let Credentials { client_id, password, api_key } = &self.credentials;
        let body = serde_json::json!({"client_id": client_id, "password": password});
        let sent = self.http.post(self.url("/auth")).header("x-api-key", api_key).json(&body).send().await;
        let response = sent.map_err(|error| NoAnswer::Yet(error.without_url().to_string()))?;
        match response.status().as_u16() {
            200 => {}
            401 => return Err(NoAnswer::Ever("the service refuses the client's credentials".into())),
            status @ (408 | 429 | 500..) => return Err(NoAnswer::Yet(format!("the service answers {status}"))),
            status => return Err(NoAnswer::Ever(format!("the service answers POST /auth with {status}").into())),
        }
        let read: TokenAnswer =
            response.json().await.map_err(|error| NoAnswer::Yet(error.without_url().to_string()))?;
        *token = (number + 1, read.data.access_token.into());
        Ok(())
    }
}

/// The client of the database whose users they become.
pub(super) const fn caller(client_id: Uuid) -> Caller {
    Caller { client_id, role: Role::Client }
}
