//! Deletes the records of webhook deliveries that are older than the retention, where there is one.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobDeps, Lock, ServerDeps, TaskGroup};
use crate::webhook::retention;

/// The rows of a batch are locked; another process skips them.
pub(super) const JOB: Job = Job {
    name: "prune_webhooks",
    interval: Duration::from_secs(600),
    time_limit: Duration::from_secs(600),
    lock: Lock::Rows,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, server: &ServerDeps, tasks: &TaskGroup) {
    let Some(keep) = server.webhook_retention else { return };
    let (store, env) = (deps.store.clone(), Arc::clone(&deps.env));
    tasks.spawn_job(&JOB, move || {
        let (store, env) = (store.clone(), Arc::clone(&env));
        async move {
            match retention::sweep(&store, env.now(), keep).await {
                Ok(swept) if swept == retention::Swept::default() => {}
                Ok(swept) => tracing::info!(?swept, "pruned the records of old webhook deliveries"),
                Err(error) => tracing::warn!(%error, "pruning webhook deliveries failed; the next round continues"),
            }
        }
    });
}
