//! Builds the relays to the brokers.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::open::{AppError, Resources};
use crate::config::{AmqpSink, Config, NatsSink, RedisSink, SinkStartSetting, SinksConfig};
use crate::health::Readiness;
use crate::sink::{Connector, Relay, RelayDeps};
use crate::store::SinkStart;

/// The relays of the configured sinks.
///
/// # Errors
/// A sink needs a feature that this build lacks.
pub(super) fn relays(config: &Config, resources: &Resources) -> Result<Vec<Arc<Relay>>, AppError> {
    let start = match config.sinks.start {
        SinkStartSetting::Oldest => SinkStart::Oldest,
        SinkStartSetting::Now => SinkStart::Now,
    };
    let relay = |connector| {
        Relay::new(RelayDeps {
            store: resources.store.background(),
            env: Arc::clone(&resources.env),
            metrics: resources.metrics.clone(),
            start,
            connector,
        })
    };
    Ok(connectors(config)?.into_iter().map(relay).collect())
}

fn connectors(config: &Config) -> Result<Vec<Box<dyn Connector>>, AppError> {
    let SinksConfig { nats: of_nats, amqp: of_amqp, redis: of_redis, tls_ca, .. } = config.sinks.clone();
    let connectors = [
        of_nats.map(|sink| nats(sink, tls_ca.clone())).transpose()?,
        of_amqp.map(|sink| amqp(sink, tls_ca.clone())).transpose()?,
        of_redis.map(|sink| redis(sink, tls_ca.clone())).transpose()?,
    ];
    Ok(connectors.into_iter().flatten().collect())
}

#[cfg(feature = "sink-nats")]
fn nats(sink: NatsSink, tls_ca: Option<PathBuf>) -> Result<Box<dyn Connector>, AppError> {
    Ok(Box::new(crate::sink::nats::Nats::new(sink, tls_ca)))
}

#[cfg(not(feature = "sink-nats"))]
fn nats(_: NatsSink, _: Option<PathBuf>) -> Result<Box<dyn Connector>, AppError> {
    Err(lacks("KIRA_SINK_NATS_URL", "sink-nats"))
}

#[cfg(feature = "sink-amqp")]
fn amqp(sink: AmqpSink, tls_ca: Option<PathBuf>) -> Result<Box<dyn Connector>, AppError> {
    Ok(Box::new(crate::sink::amqp::Amqp::new(sink, tls_ca)))
}

#[cfg(not(feature = "sink-amqp"))]
fn amqp(_: AmqpSink, _: Option<PathBuf>) -> Result<Box<dyn Connector>, AppError> {
    Err(lacks("KIRA_SINK_AMQP_URL", "sink-amqp"))
}

#[cfg(feature = "sink-redis")]
fn redis(sink: RedisSink, tls_ca: Option<PathBuf>) -> Result<Box<dyn Connector>, AppError> {
    Ok(Box::new(crate::sink::redis::Redis::new(sink, tls_ca)))
}

#[cfg(not(feature = "sink-redis"))]
fn redis(_: RedisSink, _: Option<PathBuf>) -> Result<Box<dyn Connector>, AppError> {
    Err(lacks("KIRA_SINK_REDIS_URL", "sink-redis"))
}

/// The error of a build without a feature.
#[cfg(not(all(feature = "sink-nats", feature = "sink-amqp", feature = "sink-redis")))]
fn lacks(setting: &str, feature: &str) -> AppError {
    AppError::start(format!("{setting} needs a build with the feature `{feature}`, or `cloud`"))
}

/// Shows the sinks at `/readyz`. A sink that lags or fails does not affect the readiness.
pub(super) fn add_detail(relays: &[Arc<Relay>], readiness: &Readiness) {
    if relays.is_empty() {
        return;
    }
    let relays = relays.to_vec();
    readiness.add_detail("sinks", move || {
        let shown = relays.iter().map(|relay| {
            let health = relay.health();
            let value = json!({
                "relaying": health.relaying,
                "connected": health.connected,
                "position": health.position,
                "failure": health.failure,
            });
            (relay.name().to_owned(), value)
        });
        serde_json::Value::Object(shown.collect())
    });
}
