//! RabbitMQ, by AMQP 0-9-1.
//!
//! A message is persistent and mandatory, with the routing key `CLIENT.USER`; it is published when the broker has confirmed
//! that its queues have it. The exchange and its queues belong to the operator: nothing is created here.

use std::collections::HashMap;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};

use super::broker::{Broker, Connector, Failure, Publishing};
use super::message::{CONTENT_TYPE, Message};
use crate::config::AmqpSink;

/// AMQP's mark of a message that queues keep on disk.
const PERSISTENT: u8 = 2;

/// Connects to RabbitMQ.
#[derive(Debug)]
pub struct Amqp {
    sink: AmqpSink,
    tls_ca: Option<PathBuf>,
}

impl Amqp {
    /// A sink; `tls_ca` is a PEM file of authorities besides those of the system.
    #[must_use]
    pub fn new(sink: AmqpSink, tls_ca: Option<PathBuf>) -> Self {
        Self { sink, tls_ca }
    }

    async fn open(&self) -> Result<Box<dyn Broker>, Failure> {
        // The texts of errors never hold the URL.
        let unavailable = |error: lapin::Error| Failure::Unavailable(format!("cannot connect to RabbitMQ: {error}"));
        let cert_chain = match &self.tls_ca {
            None => None,
            Some(file) => Some(tokio::fs::read_to_string(file).await.map_err(|error| {
                Failure::Unavailable(format!("the authorities {} cannot be read: {error}", file.display()))
            })?),
        };
        let runtime = lapin::runtime::default_runtime().map_err(unavailable)?;
        let properties = ConnectionProperties::default().with_connection_name("kira-users".into());
        let tls = OwnedTLSConfig { identity: None, cert_chain };
        let connection = Connection::connect_with_config(self.sink.url.expose(), properties, tls, runtime).await;
        let connection = connection.map_err(unavailable)?;
        let channel = connection.create_channel().await.map_err(unavailable)?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(unavailable)?;
        Ok(Box::new(Open { channel, exchange: self.sink.exchange.clone(), _connection: connection }))
    }
}

impl Connector for Amqp {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Broker>, Failure>> {
        Box::pin(self.open())
    }
}

struct Open {
    channel: Channel,
    exchange: String,
    /// It is closed when dropped.
    _connection: Connection,
}

impl Open {
    async fn send(&self, message: &Message) -> lapin::Result<lapin::PublisherConfirm> {
        let properties = BasicProperties::default()
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(message.id.to_string().into())
            .with_type(message.kind.clone().into())
            .with_app_id("kira-users".into());
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let (exchange, key) = (self.exchange.as_str().into(), message.route().into());
        self.channel.basic_publish(exchange, key, options, &message.body(), properties).await
    }
}

impl Broker for Open {
    fn publish<'a>(&'a self, messages: &'a [Message]) -> Publishing<'a> {
        Box::pin(async move {
            let mut sent = Vec::with_capacity(messages.len());
            for message in messages {
                sent.push(self.send(message).await);
            }
            let mut returned = HashMap::new();
            let mut results = Vec::with_capacity(sent.len());
            for confirmation in sent {
                let confirmed = match confirmation {
                    Ok(confirmation) => confirmation.await,
                    Err(error) => Err(error),
                };
                results.push(match confirmed {
                    Ok(confirmation) => {
                        let is_stored = confirmation.is_ack();
                        note_returned(confirmation, &mut returned);
                        let full = "the broker does not store the message: a queue is full, or lost";
                        is_stored.then_some(()).ok_or_else(|| Failure::Unavailable(full.to_owned()))
                    }
                    Err(error) => Err(Failure::Unavailable(error.to_string())),
                });
            }
            for (message, result) in messages.iter().zip(&mut results) {
                if let Some(text) = returned.remove(&message.id.to_string()) {
                    *result = Err(Failure::Refused(format!("no queue takes the message: {text}")));
                }
            }
            results
        })
    }
}

/// Notes a message that came back. It comes before the confirmation of any message that was sent with it, so its own id says
/// which it is.
fn note_returned(confirmation: Confirmation, returned: &mut HashMap<String, String>) {
    if let Some(message) = confirmation.take_message()
        && let Some(id) = message.delivery.properties.message_id()
    {
        returned.insert(id.to_string(), message.reply_text.to_string());
    }
}
