//! Measures the depth and age of the queues. Every process does, so that the metrics do not depend on one of them.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};
use crate::env::Env;
use crate::store::Store;
use crate::telemetry::Metrics;

pub(super) const JOB: Job = Job {
    name: "measure_queues",
    interval: Duration::from_secs(15),
    time_limit: Duration::from_secs(10),
    lock: Lock::None,
    metrics: &[
        "kira_queue_depth",
        "kira_queue_oldest_age_seconds",
        "kira_webhook_endpoints_failing",
        "kira_webhook_endpoints_failing_age_seconds",
        "kira_webhook_deliveries_behind_failing",
        "kira_sink_lag",
        "kira_sink_lag_age_seconds",
        "kira_sink_dead_letters",
    ],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let (store, env, metrics) = (deps.store.clone(), Arc::clone(&deps.env), deps.metrics.clone());
    tasks.spawn_job(&JOB, move || {
        let (store, env, metrics) = (store.clone(), Arc::clone(&env), metrics.clone());
        async move { measure(&store, env.as_ref(), &metrics).await }
    });
}

async fn measure(store: &Store, env: &dyn Env, metrics: &Metrics) {
    match store.queues(env.now()).await {
        Ok(queues) => queues.iter().for_each(|queue| {
            metrics.queue(queue.name, queue.depth, queue.oldest_age.to_std().unwrap_or_default());
        }),
        Err(error) => tracing::warn!(%error, "queues not measured; the next round measures them"),
    }
    match store.failing_endpoints(env.now()).await {
        Ok(failing) => {
            let longest = failing.longest.to_std().unwrap_or_default();
            metrics.failing_endpoints(failing.count, longest, failing.waiting);
        }
        Err(error) => tracing::warn!(%error, "failing endpoints not counted; the next round counts them"),
    }
    match store.sinks().await {
        Ok(sinks) => sinks.iter().for_each(|sink| {
            let age = sink.oldest.map(|oldest| env.now() - oldest).unwrap_or_default();
            metrics.sink_lag(&sink.name, sink.lag, age.to_std().unwrap_or_default(), sink.dead_letters);
        }),
        Err(error) => tracing::warn!(%error, "sinks not measured; the next round measures them"),
    }
}
