//! Builds the relays to the brokers.

use std::sync::Arc;

use serde_json::json;

use super::open::{AppError, Resources};
use crate::config::{Config, SinkStartSetting};
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
    let sinks = config.sinks.clone();
    let mut connectors: Vec<Box<dyn Connector>> = Vec::new();
    if let Some(sink) = sinks.nats {
        #[cfg(feature = "sink-nats")]
        connectors.push(Box::new(crate::sink::nats::Nats::new(sink, sinks.tls_ca.clone())));
        #[cfg(not(feature = "sink-nats"))]
        return Err(lacks("KIRA_SINK_NATS_URL", "sink-nats", sink));
    }
    if let Some(sink) = sinks.amqp {
        #[cfg(feature = "sink-amqp")]
        connectors.push(Box::new(crate::sink::amqp::Amqp::new(sink, sinks.tls_ca.clone())));
        #[cfg(not(feature = "sink-amqp"))]
        return Err(lacks("KIRA_SINK_AMQP_URL", "sink-amqp", sink));
    }
    if let Some(sink) = sinks.redis {
        #[cfg(feature = "sink-redis")]
        connectors.push(Box::new(crate::sink::redis::Redis::new(sink, sinks.tls_ca)));
        #[cfg(not(feature = "sink-redis"))]
        return Err(lacks("KIRA_SINK_REDIS_URL", "sink-redis", sink));
    }
    Ok(connectors)
}

/// The error of a build without a feature; a sink that cannot be used is not used.
#[cfg(not(all(feature = "sink-nats", feature = "sink-amqp", feature = "sink-redis")))]
fn lacks<T>(setting: &str, feature: &str, _sink: T) -> AppError {
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
