//! Redis Streams.
//!
//! A message is an entry of one stream, with the fields `id`, `user_id`, `type` and `event`, which is the CloudEvent. Redis
//! numbers the entries in the order in which they come.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, TlsCertificates, Value, pipe};

use super::broker::{Broker, Connector, Failure, Publishing};
use super::message::Message;
use super::round::CONFIRM_TIMEOUT;
use crate::config::RedisSink;

/// How long the connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to Redis.
#[derive(Debug)]
pub struct Redis {
    sink: RedisSink,
    tls_ca: Option<PathBuf>,
}

impl Redis {
    /// A sink; `tls_ca` is a PEM file of authorities, instead of those of the system.
    #[must_use]
    pub fn new(sink: RedisSink, tls_ca: Option<PathBuf>) -> Self {
        Self { sink, tls_ca }
    }

    async fn open(&self) -> Result<Box<dyn Broker>, Failure> {
        // The texts of errors never hold the URL.
        let unavailable = |error: redis::RedisError| Failure::Unavailable(format!("cannot connect to Redis: {error}"));
        let client = match &self.tls_ca {
            None => Client::open(self.sink.url.expose()).map_err(unavailable)?,
            Some(file) => {
                let root_cert = tokio::fs::read(file).await.map_err(|error| {
                    Failure::Unavailable(format!("the authorities {} cannot be read: {error}", file.display()))
                })?;
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                Client::build_with_tls(self.sink.url.expose(), certificates).map_err(unavailable)?
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(CONFIRM_TIMEOUT));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(unavailable)?;
        Ok(Box::new(Open { connection, stream: self.sink.stream.clone() }))
    }
}

impl Connector for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Broker>, Failure>> {
        Box::pin(self.open())
    }
}

struct Open {
    connection: MultiplexedConnection,
    stream: String,
}

impl Broker for Open {
    fn publish<'a>(&'a self, messages: &'a [Message]) -> Publishing<'a> {
        Box::pin(async move {
            let mut commands = pipe();
            commands.ignore_errors();
            for message in messages {
                commands
                    .cmd("XADD")
                    .arg(&self.stream)
                    .arg("*")
                    .arg(&[("id", message.id.to_string()), ("user_id", message.user_id.to_string())])
                    .arg(&[("type", &message.kind)])
                    .arg("event")
                    .arg(message.body().as_ref());
            }
            let mut connection = self.connection.clone();
            match commands.query_async::<Vec<Value>>(&mut connection).await {
                Ok(values) => values.into_iter().map(result).collect(),
                Err(error) => vec![Err(Failure::Unavailable(error.to_string())); messages.len()],
            }
        })
    }
}

fn result(value: Value) -> Result<(), Failure> {
    match value {
        Value::ServerError(error) => Err(Failure::Unavailable(error.to_string())),
        _ => Ok(()),
    }
}
