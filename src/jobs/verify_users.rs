//! Processes queued verifications: a loop that new verifications wake, with a lease on each job. Interval and lease are
//! those of [`Worker`](crate::verification::Worker).

use std::sync::Arc;

use super::{JobDeps, QueueDeps, TaskGroup};
use crate::verification::circuit::Circuit;

/// The metrics that show its work.
#[cfg(test)]
pub(super) const METRICS: &[&str] =
    &["kira_verifications_total", "kira_verification_duration_seconds", "kira_provider_circuit_open"];

pub(super) fn start(deps: &JobDeps, queues: &QueueDeps, tasks: &TaskGroup) {
    let worker = Arc::clone(&queues.worker);
    let watched = Arc::downgrade(&worker);
    deps.metrics.watch_circuit(worker.health().provider, move || {
        watched.upgrade().is_some_and(|worker| worker.health().circuit != Circuit::CLOSED)
    });
    tasks.spawn(|stop| worker.run(stop));
}
