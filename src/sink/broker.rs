//! What a relay needs of a broker.

use futures_util::future::BoxFuture;

use super::message::Message;

/// Why a broker has not taken a message. No text of it holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It cannot be reached, is full, or lacks what it needs: this message and others are to be sent later.
    #[error("{0}")]
    Unavailable(String),
    /// It did not take this message, and may take it later.
    #[error("{0}")]
    Refused(String),
    /// It will never take this message.
    #[error("{0}")]
    RefusedForGood(String),
}

/// The results of messages, in their order.
pub type Publishing<'a> = BoxFuture<'a, Vec<Result<(), Failure>>>;

/// A connection to a broker.
pub trait Broker: Send + Sync {
    /// Publishes messages at once, and waits until the broker has confirmed or refused each.
    fn publish<'a>(&'a self, messages: &'a [Message]) -> Publishing<'a>;
}

/// Connects to a broker.
pub trait Connector: Send + Sync {
    /// The name of the sink: of its cursor, its metrics and its settings.
    fn name(&self) -> &'static str;

    /// Makes a connection.
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Broker>, Failure>>;
}
