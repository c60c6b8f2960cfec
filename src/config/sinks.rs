//! `[sinks]`: the brokers that events go to.

use std::path::PathBuf;

use super::reader::Reader;
use super::secret::Secret;
use super::value::{OrOff, Value};

/// The sinks; none by default.
#[derive(Debug, Clone)]
pub struct SinksConfig {
    /// NATS JetStream.
    pub nats: Option<NatsSink>,
    /// RabbitMQ.
    pub amqp: Option<AmqpSink>,
    /// Redis Streams.
    pub redis: Option<RedisSink>,
    /// Where a sink begins that has never run.
    pub start: SinkStartSetting,
    /// Authorities of the brokers' certificates, a PEM file.
    pub tls_ca: Option<PathBuf>,
}

/// Where a sink begins that has never run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkStartSetting {
    /// At the oldest event that is stored.
    Oldest,
    /// Behind the newest one.
    Now,
}

/// NATS JetStream.
#[derive(Debug, Clone)]
pub struct NatsSink {
    /// Servers, as URLs with commas between them.
    pub url: Secret,
    /// The text of a credentials file.
    pub credentials: Option<Secret>,
    /// What subjects begin with.
    pub subject: String,
}

/// RabbitMQ.
#[derive(Debug, Clone)]
pub struct AmqpSink {
    /// The server and the virtual host.
    pub url: Secret,
    /// The exchange.
    pub exchange: String,
}

/// Redis Streams.
#[derive(Debug, Clone)]
pub struct RedisSink {
    /// The server and the database.
    pub url: Secret,
    /// The key of the stream.
    pub stream: String,
}

impl SinksConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let nats_url = url(reader, "sinks.nats_url", &["nats", "tls"]);
        let credentials = reader.optional("sinks.nats_credentials").filter(|text: &Secret| text.expose() != "off");
        let subject: Subject = reader.required("sinks.nats_subject");
        let amqp_url = url(reader, "sinks.amqp_url", &["amqp", "amqps"]);
        let exchange = reader.required("sinks.amqp_exchange");
        let redis_url = url(reader, "sinks.redis_url", &["redis", "rediss"]);
        let stream = reader.required("sinks.redis_stream");
        Self {
            nats: nats_url.map(|url| NatsSink { url, credentials, subject: subject.0 }),
            amqp: amqp_url.map(|url| AmqpSink { url, exchange }),
            redis: redis_url.map(|url| RedisSink { url, stream }),
            start: reader.required("sinks.start"),
            tls_ca: reader.required::<OrOff<PathBuf>>("sinks.ca").0,
        }
    }
}

/// The URL of a broker, or several with commas between them. None: off, or refused.
fn url(reader: &mut Reader, path: &'static str, schemes: &[&str]) -> Option<Secret> {
    let url: Secret = reader.optional(path).filter(|url: &Secret| url.expose() != "off")?;
    let is_usable = url.expose().split(',').all(|part| {
        let parsed = url::Url::parse(part.trim());
        parsed.is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host())
    });
    if !is_usable {
        // Without the text, which may hold a password.
        reader
            .refuse(path, format!("is not a URL of this broker; accepted: {}://HOST, or off", schemes.join(":// or ")));
        return None;
    }
    Some(url)
}

/// What subjects of NATS begin with.
struct Subject(String);

impl Value for Subject {
    const ACCEPTED: &'static str = "tokens of letters, digits, - and _ with dots between them, such as kira.events";

    fn parse(text: &str) -> Result<Self, String> {
        let is_token = |token: &str| {
            !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        if text.split('.').all(is_token) { Ok(Self(text.to_owned())) } else { Err("is no subject".to_owned()) }
    }
}

impl Value for SinkStartSetting {
    const ACCEPTED: &'static str = "oldest or now";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "oldest" => Ok(Self::Oldest),
            "now" => Ok(Self::Now),
            _ => Err("is neither".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn read(settings: &[(&str, &str)]) -> Result<Config, String> {
        let environment = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::from_parts(None, environment).map_err(|error| error.to_string())
    }

    #[test]
    fn sinks_are_off_by_default_and_each_has_its_setting() {
        let sinks = read(&[]).expect("defaults").sinks;
        assert!(sinks.nats.is_none() && sinks.amqp.is_none() && sinks.redis.is_none());
        let sinks = read(&[
            ("KIRA_SINK_NATS_URL", "nats://a:4222,tls://b:4222"),
            ("KIRA_SINK_AMQP_URL", "amqps://rabbitmq/%2f"),
            ("KIRA_SINK_REDIS_URL", "off"),
        ]);
        let sinks = sinks.expect("settings").sinks;
        assert_eq!(sinks.nats.expect("a sink").subject, "kira.events");
        assert_eq!(sinks.amqp.expect("a sink").exchange, "kira.events");
        assert!(sinks.redis.is_none());
    }

    #[test]
    fn a_wrong_url_is_refused_without_its_text() {
        for (name, url) in [
            ("KIRA_SINK_NATS_URL", "nats://kira:hunter2@a:4222,http://b"),
            ("KIRA_SINK_AMQP_URL", "redis://kira:hunter2@a"),
            ("KIRA_SINK_REDIS_URL", "kira:hunter2@a:6379"),
        ] {
            let refused = read(&[(name, url)]).expect_err("it is no URL of the broker");
            assert!(refused.contains(name) && !refused.contains("hunter2"), "{refused}");
        }
        let refused = read(&[("KIRA_SINK_NATS_SUBJECT", "kira.>")]).expect_err("it is a wildcard");
        assert!(refused.contains("KIRA_SINK_NATS_SUBJECT"), "{refused}");
    }
}
