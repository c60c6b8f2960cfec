//! The connection to the service: adds credentials and idempotency keys, and repeats what can be repeated.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::{Service, ServiceExt as _};
use uuid::Builder;

use crate::Error;
use crate::calls::Call;
use crate::retry::{Retries, random};
use crate::token::Tokens;

const REQUEST_ID: &str = "x-request-id";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The bytes before a message over gRPC: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The connection as it is.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Channel);

/// What the clients of the services call through.
#[derive(Clone, Debug)]
pub struct KiraChannel {
    inner: Connection,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tokens: Tokens,
    retries: Retries,
    timeout: Duration,
}

impl KiraChannel {
    pub(crate) fn new(inner: Connection, tokens: Tokens, retries: Retries, timeout: Duration) -> Self {
        Self { inner, shared: Arc::new(Shared { tokens, retries, timeout }) }
    }

    pub(crate) fn retries(&self) -> Retries {
        self.shared.retries
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (mut head, body) = request.into_parts();
        let call = Call::of(head.uri.path());
        // A repetition sends it again.
        let body = body.collect().await?.to_bytes();
        name_request(&mut head, &call, &body)?;
        let (mut tries, mut is_renewed) = (0, false);
        loop {
            let status = match self.authorize(&mut head, &call).await {
                Ok(()) => match self.attempt(&head, &body, &call).await {
                    Ok(response) => return Ok(response),
                    Err(status) => status,
                },
                Err(status) if status.code() == Code::Unauthenticated => return Err(status),
                Err(status) => status,
            };
            // The service may have replaced its keys since the token was issued.
            if status.code() == Code::Unauthenticated && !call.is_public && !is_renewed {
                self.forget_token(&head).await;
                is_renewed = true;
                continue;
            }
            let Some(delay) = self.shared.retries.delay(&Error::from(status.clone()), tries, call.repeats()) else {
                return Err(status);
            };
            tokio::time::sleep(delay).await;
            tries += 1;
        }
    }

    async fn authorize(&self, head: &mut Parts, call: &Call) -> Result<(), Status> {
        if call.is_public {
            return Ok(());
        }
        head.headers.insert("x-api-key", self.shared.tokens.api_key()?);
        head.headers.insert(http::header::AUTHORIZATION, self.shared.tokens.current().await?);
        Ok(())
    }

    async fn forget_token(&self, head: &Parts) {
        if let Some(token) = head.headers.get(http::header::AUTHORIZATION) {
            self.shared.tokens.forget(token).await;
        }
    }

    /// Sends a request once: the whole answer of one message, or the beginning of a stream.
    async fn attempt(&self, head: &Parts, body: &Bytes, call: &Call) -> Result<Response<Body>, Status> {
        let request = Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
        let answer = tokio::time::timeout(self.shared.timeout, self.inner.send(request, call.is_stream)).await;
        answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("the service did not answer in time")))
    }
}

impl Connection {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// The whole answer of one message, or the beginning of a stream.
    async fn send(&self, request: Request<Body>, is_stream: bool) -> Result<Response<Body>, Status> {
        let mut channel = self.0.clone();
        let channel = channel.ready().await.map_err(lost)?;
        let response = accept(channel.call(request).await.map_err(lost)?)?;
        if is_stream { Ok(response) } else { whole(response).await }
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = self.clone();
        Box::pin(async move { connection.send(request, false).await })
    }
}

impl Service<Request<Body>> for KiraChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Each try waits for the connection.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

/// Gives a request of a call that takes one an idempotency key, unless it has one in its metadata or in its message.
fn name_request(head: &mut Parts, call: &Call, body: &Bytes) -> Result<(), Status> {
    let Some(field) = call.key_field else { return Ok(()) };
    if head.headers.contains_key(IDEMPOTENCY_KEY) || has_field(body, field) {
        return Ok(());
    }
    let random = random().ok_or_else(|| Status::internal("the system has no random numbers"))?;
    let key = Builder::from_random_bytes(random).into_uuid().to_string();
    let key = HeaderValue::try_from(key).map_err(|_| Status::internal("a UUID is no header"))?;
    head.headers.insert(IDEMPOTENCY_KEY, key);
    Ok(())
}

/// Whether the one message of a body sets a field.
fn has_field(body: &Bytes, number: u32) -> bool {
    let mut message = body.clone();
    message.advance(PREFIX.min(message.len()));
    while let Ok((found, wire_type)) = decode_key(&mut message) {
        if found == number {
            return true;
        }
        if skip_field(wire_type, found, &mut message, DecodeContext::default()).is_err() {
            return false;
        }
    }
    false
}

/// An answer of the service that is no error yet.
fn accept(response: Response<Body>) -> Result<Response<Body>, Status> {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return if status.code() == Code::Ok { Ok(response) } else { Err(status) };
    }
    let media_type = response.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media_type.is_some_and(|media_type| media_type.starts_with("application/grpc")) {
        true => Ok(response),
        false => Err(of_another(response.status())),
    }
}

/// An answer of something between the client and the service, such as a proxy.
fn of_another(status: StatusCode) -> Status {
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("The answer {} is not one of the service", status.as_u16()))
}

/// Reads an answer to its end: only there is its status.
async fn whole(response: Response<Body>) -> Result<Response<Body>, Status> {
    if Status::from_header_map(response.headers()).is_some() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let collected = body.collect().await.map_err(|error| Status::unavailable(error.message()))?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    match Status::from_header_map(&trailers) {
        None => Err(Status::unavailable("the answer has no end")),
        Some(status) if status.code() == Code::Ok => {
            let body = Full::new(collected.to_bytes()).with_trailers(async { Some(Ok(trailers)) });
            Ok(Response::from_parts(head, Body::new(body)))
        }
        Some(mut status) => {
            if let Some(id) = head.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()?.parse().ok()) {
                status.metadata_mut().insert(REQUEST_ID, id);
            }
            Err(status)
        }
    }
}

/// The status of a request whose answer did not come.
fn lost(error: tonic::transport::Error) -> Status {
    Status::unavailable(format!("the connection is lost: {}", Causes(&error)))
}

/// An error with all its causes.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::v1;

    #[test]
    fn a_key_in_the_message_is_seen_behind_other_fields() {
        let framed = |request: v1::UpdateUserRequest| Bytes::from([vec![0; PREFIX], request.encode_to_vec()].concat());
        let number = Call::of("/kira.users.v1.UsersService/UpdateUser").key_field.expect("a call with a key");
        let bare = v1::UpdateUserRequest { user_id: Some("1".to_owned()), ..Default::default() };
        assert!(!has_field(&framed(bare.clone()), number));
        assert!(has_field(&framed(v1::UpdateUserRequest { idempotency_key: Some("k".to_owned()), ..bare }), number));
        assert!(!has_field(&Bytes::from_static(b"\0\0"), number));
    }
}
