//! Sinks: the events of all clients, to a broker of those who run the service.
//!
//! A sink reads the history of events by its own cursor, publishes each event as a CloudEvent, and advances the cursor when
//! the broker has confirmed: at least once, in order for each user. One process relays to a sink at a time. A broker that is
//! slow or down makes its sink lag, and nothing else.

#[cfg(feature = "sink-amqp")]
pub mod amqp;
mod broker;
mod message;
#[cfg(feature = "sink-nats")]
pub mod nats;
#[cfg(feature = "sink-redis")]
pub mod redis;
mod relay;
mod round;

pub use self::broker::{Broker, Connector, Failure, Publishing};
pub use self::message::Message;
pub use self::relay::{Relay, RelayDeps, SinkHealth};
