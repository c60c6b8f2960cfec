//! NATS JetStream.
//!
//! A message is published on `SUBJECT.CLIENT.USER` with the event's id as `Nats-Msg-Id`, which the stream's duplicate window
//! knows. The stream belongs to the operator: nothing is created here.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{ConnectOptions, ServerAddr};
use futures_util::future::BoxFuture;

use super::broker::{Broker, Connector, Failure, Publishing};
use super::message::{CONTENT_TYPE, Message};
use super::round::CONFIRM_TIMEOUT;
use crate::config::NatsSink;

/// How long the TCP connection and the greeting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to NATS.
#[derive(Debug)]
pub struct Nats {
    sink: NatsSink,
    tls_ca: Option<PathBuf>,
}

impl Nats {
    /// A sink; `tls_ca` is a PEM file of authorities besides those of the system.
    #[must_use]
    pub fn new(sink: NatsSink, tls_ca: Option<PathBuf>) -> Self {
        Self { sink, tls_ca }
    }

    async fn open(&self) -> Result<Box<dyn Broker>, Failure> {
        // The texts of errors name servers and never credentials.
        let unusable = |_| Failure::Unavailable("the URL is no URL of NATS".to_owned());
        let servers = self.sink.url.expose().split(',').map(|url| url.trim().parse::<ServerAddr>());
        let servers: Vec<_> = servers.collect::<Result<_, _>>().map_err(unusable)?;
        let mut options = ConnectOptions::new();
        if let Some(credentials) = &self.sink.credentials {
            let unreadable = |_| Failure::Unavailable("the credentials are no credentials file of NATS".to_owned());
            options = options.credentials(credentials.expose()).map_err(unreadable)?;
        }
        if let Some(file) = &self.tls_ca {
            options = options.add_root_certificates(file.clone());
        }
        // The relay reconnects by itself, so that it knows what was in flight.
        let options = options.name("kira-users").connection_timeout(CONNECT_TIMEOUT).max_reconnects(1);
        let client = options.connect(servers).await;
        let client = client.map_err(|error| Failure::Unavailable(format!("cannot connect to NATS: {error}")))?;
        let context = jetstream::ContextBuilder::new().timeout(CONFIRM_TIMEOUT).build(client);
        Ok(Box::new(Connection { context, subject: self.sink.subject.clone() }))
    }
}

impl Connector for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Broker>, Failure>> {
        Box::pin(self.open())
    }
}

struct Connection {
    context: jetstream::Context,
    subject: String,
}

impl Broker for Connection {
    fn publish<'a>(&'a self, messages: &'a [Message]) -> Publishing<'a> {
        Box::pin(async move {
            let mut sent = Vec::with_capacity(messages.len());
            for message in messages {
                let subject = format!("{}.{}", self.subject, message.route());
                let publish = PublishMessage::build()
                    .payload(message.body())
                    .header("Content-Type", CONTENT_TYPE)
                    .message_id(message.id.to_string());
                sent.push(self.context.send_publish(subject, publish).await);
            }
            let mut results = Vec::with_capacity(sent.len());
            for confirmation in sent {
                let confirmed = match confirmation {
                    Ok(confirmation) => confirmation.await.map(drop),
                    Err(error) => Err(error),
                };
                results.push(confirmed.map_err(|error| failure(&error)));
            }
            results
        })
    }
}

fn failure(error: &PublishError) -> Failure {
    let source = error.source();
    let code = source.and_then(|source| source.downcast_ref::<jetstream::Error>()).map(jetstream::Error::error_code);
    let text = source.map_or_else(|| error.kind().to_string(), ToString::to_string);
    match (error.kind(), code) {
        (PublishErrorKind::MaxPayloadExceeded, _) | (_, Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)) => {
            Failure::RefusedForGood(text)
        }
        // Full, without a leader, without the stream.
        _ => Failure::Unavailable(text),
    }
}
