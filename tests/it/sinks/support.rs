//! A broker with a stream, a queue or a key of its own, and what has arrived there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_nats::jetstream;
use kira_users::sink::Relay;
use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use parking_lot::Mutex;
use redis::streams::StreamRangeReply;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;
use uuid::Uuid;

use crate::events::support::{page, text};
use crate::harness::proxy::Proxy;
use crate::harness::service::{Client, Service};

/// A kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nats,
    Amqp,
    Redis,
}

/// What has arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrived {
    /// The id that the broker, or a receiver, deduplicates by.
    pub(crate) id: String,
    /// The end of the subject or the routing key; of Redis the field of the user.
    pub(crate) route: String,
    pub(crate) content_type: Option<String>,
    pub(crate) event: Value,
}

/// A broker, with something in it that belongs to one test.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    /// Of the stream, the exchange and the queue, or the key.
    pub(crate) name: String,
    handle: Handle,
}

enum Handle {
    Nats(jetstream::Context),
    Amqp { _connection: Connection, channel: Channel, taken: Mutex<Vec<Arrived>> },
    Redis(redis::Client),
}

impl Kind {
    pub(crate) fn url(self) -> String {
        let (name, default) = match self {
            Self::Nats => ("KIRA_TEST_NATS_URL", "nats://127.0.0.1:4222"),
            Self::Amqp => ("KIRA_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f"),
            Self::Redis => ("KIRA_TEST_REDIS_URL", "redis://127.0.0.1:6379"),
        };
        std::env::var(name).unwrap_or_else(|_| default.to_owned())
    }

    /// Whether the broker answers; without it the test is skipped, unless brokers are required.
    async fn is_there(self) -> bool {
        let url = Url::parse(&self.url()).expect("a URL");
        let address = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let is_there = TcpStream::connect(address).await.is_ok();
        let is_required = std::env::var("KIRA_TEST_SINKS").is_ok_and(|value| value == "required");
        assert!(is_there || !is_required, "{self:?} does not answer");
        if !is_there {
            #[allow(clippy::print_stderr, reason = "a skipped test says so")]
            {
                eprintln!("skipped: {self:?} does not answer at its URL");
            }
        }
        is_there
    }
}

impl Peer {
    /// None: the broker is not there.
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
        Self::with(kind, "#", -1).await
    }

    /// Of RabbitMQ the queue takes the routing keys of `pattern`; of NATS the stream takes messages of at most `most` bytes.
    pub(crate) async fn with(kind: Kind, pattern: &str, most: i32) -> Option<Self> {
        if !kind.is_there().await {
            return None;
        }
        // The first of several tests in one process installs the provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (url, name) = (kind.url(), format!("kira_test_{}", Uuid::new_v4().simple()));
        let handle = match kind {
            Kind::Nats => Handle::Nats(stream(&url, &name, most).await),
            Kind::Amqp => queue(&url, &name).await,
            Kind::Redis => Handle::Redis(redis::Client::open(url.as_str()).expect("a URL")),
        };
        let peer = Self { kind, url, name, handle };
        if kind == Kind::Amqp {
            peer.bind(pattern).await;
        }
        Some(peer)
    }

    /// RabbitMQ: the queue takes the routing keys of another pattern too.
    pub(crate) async fn bind(&self, pattern: &str) {
        let Handle::Amqp { channel, .. } = &self.handle else { return };
        let (queue, exchange, arguments) = (self.name.as_str(), self.name.as_str(), FieldTable::default());
        let bound =
            channel.queue_bind(queue.into(), exchange.into(), pattern.into(), QueueBindOptions::default(), arguments);
        bound.await.expect("a binding");
    }

    /// NATS: the stream takes messages of any size.
    pub(crate) async fn take_any_size(&self) {
        let Handle::Nats(context) = &self.handle else { return };
        context.update_stream(config(&self.name, -1)).await.expect("a stream");
    }

    /// The settings of a service that publishes here, by way of `url`.
    pub(crate) fn settings<'a>(&'a self, url: &'a str) -> [(&'static str, &'a str); 2] {
        match self.kind {
            Kind::Nats => [("KIRA_SINK_NATS_URL", url), ("KIRA_SINK_NATS_SUBJECT", &self.name)],
            Kind::Amqp => [("KIRA_SINK_AMQP_URL", url), ("KIRA_SINK_AMQP_EXCHANGE", &self.name)],
            Kind::Redis => [("KIRA_SINK_REDIS_URL", url), ("KIRA_SINK_REDIS_STREAM", &self.name)],
        }
    }

    /// A service that publishes here and whose relay the test runs.
    pub(crate) async fn service(&self) -> Service {
        Service::start_with(&[&self.settings(&self.url)[..], &[("KIRA_SANDBOX_DELAY", "0s")]].concat()).await
    }

    /// A proxy in front of the broker, and the URL by way of it.
    pub(crate) async fn proxy(&self) -> (Proxy, String) {
        Proxy::to_server(&self.url).await
    }

    /// All that has arrived until now, in the broker's order.
    pub(crate) async fn arrived(&self) -> Vec<Arrived> {
        match &self.handle {
            Handle::Nats(context) => of_stream(context, &self.name).await,
            Handle::Amqp { channel, taken, .. } => {
                let queue = self.name.as_str();
                let get = || channel.basic_get(queue.into(), BasicGetOptions { no_ack: true });
                while let Some(message) = get().await.expect("the broker answers") {
                    let properties = &message.delivery.properties;
                    taken.lock().push(Arrived {
                        id: properties.message_id().as_ref().expect("an id").to_string(),
                        route: message.delivery.routing_key.to_string(),
                        content_type: properties.content_type().as_ref().map(ToString::to_string),
                        event: serde_json::from_slice(&message.delivery.data).expect("JSON"),
                    });
                }
                taken.lock().clone()
            }
            Handle::Redis(client) => of_key(client, &self.name).await,
        }
    }

    /// How many messages have arrived until now, repetitions included.
    pub(crate) async fn count(&self) -> u64 {
        match &self.handle {
            Handle::Nats(context) => {
                let mut stream = context.get_stream(&self.name).await.expect("the stream");
                stream.info().await.expect("the stream").state.messages
            }
            Handle::Amqp { channel, taken, .. } => {
                let options = QueueDeclareOptions { passive: true, ..Default::default() };
                let queue = channel.queue_declare(self.name.as_str().into(), options, FieldTable::default()).await;
                u64::from(queue.expect("the queue").message_count()) + taken.lock().len() as u64
            }
            Handle::Redis(client) => {
                let mut connection = connected(client).await;
                let count = redis::cmd("XLEN").arg(&self.name).query_async(&mut connection).await;
                count.expect("the key")
            }
        }
    }

    /// The same as `arrived` for a receiver that drops what it has: only the first of each id.
    pub(crate) async fn deduplicated(&self) -> Vec<Arrived> {
        let mut known = BTreeSet::new();
        let arrived = self.arrived().await;
        arrived.into_iter().filter(|message| known.insert(message.id.clone())).collect()
    }

    /// Removes what belongs to the test.
    pub(crate) async fn remove(self) {
        let name = self.name.as_str();
        match self.handle {
            Handle::Nats(context) => drop(context.delete_stream(name).await.expect("the stream")),
            Handle::Amqp { channel, .. } => {
                channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.expect("the queue");
                channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await.expect("the exchange");
            }
            Handle::Redis(client) => {
                let mut connection = connected(&client).await;
                redis::cmd("DEL").arg(name).exec_async(&mut connection).await.expect("the key");
            }
        }
    }
}

fn config(name: &str, most: i32) -> jetstream::stream::Config {
    let subjects = vec![format!("{name}.>")];
    jetstream::stream::Config { name: name.to_owned(), subjects, max_message_size: most, ..Default::default() }
}

async fn stream(url: &str, name: &str, most: i32) -> jetstream::Context {
    let context = jetstream::new(async_nats::connect(url).await.expect("the broker answers"));
    context.create_stream(config(name, most)).await.expect("a stream");
    context
}

async fn queue(url: &str, name: &str) -> Handle {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("the broker answers");
    let channel = connection.create_channel().await.expect("a channel");
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let declared = channel.exchange_declare(name.into(), ExchangeKind::Topic, options, FieldTable::default());
    declared.await.expect("an exchange");
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), options, FieldTable::default()).await.expect("a queue");
    Handle::Amqp { _connection: connection, channel, taken: Mutex::default() }
}

async fn of_stream(context: &jetstream::Context, name: &str) -> Vec<Arrived> {
    let mut stream = context.get_stream(name).await.expect("the stream");
    let state = stream.info().await.expect("the stream").state.clone();
    let mut arrived = Vec::new();
    if state.messages == 0 {
        return arrived;
    }
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("a message");
        let header = |name: &str| message.headers.get(name).map(ToString::to_string);
        arrived.push(Arrived {
            id: header("Nats-Msg-Id").expect("an id"),
            route: message.subject.trim_start_matches(&format!("{name}.")).to_owned(),
            content_type: header("Content-Type"),
            event: serde_json::from_slice(&message.payload).expect("JSON"),
        });
    }
    arrived
}

/// A connection that waits as long as an answer takes: a long one takes more than the half second of the default.
async fn connected(client: &redis::Client) -> redis::aio::MultiplexedConnection {
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await.expect("the broker answers")
}

async fn of_key(client: &redis::Client, name: &str) -> Vec<Arrived> {
    let mut connection = connected(client).await;
    let read = redis::Cmd::xrange_all(name);
    let entries = read.query_async::<StreamRangeReply>(&mut connection).await.expect("the key").ids;
    let arrived = entries.into_iter().map(|entry| {
        let field = |name: &str| entry.get::<String>(name).expect("a field");
        let event = serde_json::from_str(&field("event")).expect("JSON");
        Arrived { id: field("id"), route: field("user_id"), content_type: None, event }
    });
    arrived.collect()
}

/// The only relay of a service.
pub(crate) fn relay(service: &Service) -> Arc<Relay> {
    let [relay] = &*service.running.relays else { panic!("one sink is configured") };
    Arc::clone(relay)
}

/// Rounds until nothing is left to publish.
pub(crate) async fn drain(relay: &Relay) {
    while relay.run_once().await.expect("the broker takes it") > 0 {}
}

/// All events as the API lists them.
pub(crate) async fn stored(client: &Client) -> Vec<Value> {
    let mut events = Vec::new();
    let mut cursor = Uuid::nil().to_string();
    loop {
        let page = page(client, &format!("limit=100&cursor={cursor}")).await;
        events.extend(page["data"].as_array().expect("a list").iter().cloned());
        if page["has_more"] != true {
            return events;
        }
        cursor = text(&page, "/next_cursor");
    }
}

/// Asserts that every stored event is there once, and that those of each user are in their order.
pub(crate) fn assert_whole(arrived: &[Arrived], stored: &[Value]) {
    let expected: BTreeSet<_> = stored.iter().map(|event| text(event, "/data/event_id")).collect();
    let ids: BTreeSet<_> = arrived.iter().map(|message| message.id.clone()).collect();
    assert_eq!(ids.len(), arrived.len(), "an event is there twice");
    let missing: Vec<_> = expected.difference(&ids).collect();
    assert!(missing.is_empty(), "{} of {} events are lost: {missing:?}", missing.len(), expected.len());
    assert_eq!(ids, expected);
    let mut sequences: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in arrived {
        let sequence = message.event["data"]["sequence"].as_u64().expect("a number");
        sequences.entry(text(&message.event, "/subject")).or_default().push(sequence);
    }
    for (user, sequences) in sequences {
        assert!(sequences.is_sorted(), "the events of {user} came in the order {sequences:?}");
    }
}
