//! Makes the partitions of PostgreSQL ahead, and reports rows that no partition has taken.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};
use crate::store::Partitions;
use crate::telemetry::Metrics;

/// Processes take turns; one that finds a partition made makes no other. Often, since a block of events may fill up within
/// minutes.
pub(super) const JOB: Job = Job {
    name: "make_partitions",
    interval: Duration::from_secs(30),
    time_limit: Duration::from_secs(60),
    lock: Lock::Rows,
    metrics: &["kira_default_partition_rows"],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    if !deps.store.is_partitioned() {
        return;
    }
    let (store, env, metrics) = (deps.store.clone(), Arc::clone(&deps.env), deps.metrics.clone());
    tasks.spawn_job(&JOB, move || {
        let (store, env, metrics) = (store.clone(), Arc::clone(&env), metrics.clone());
        async move {
            match store.make_partitions(env.now()).await {
                Ok(partitions) => report(&partitions, &metrics),
                Err(error) => tracing::warn!(%error, "partitions are not made; the next round makes them"),
            }
        }
    });
}

fn report(Partitions { made, refused, in_default }: &Partitions, metrics: &Metrics) {
    if !made.is_empty() {
        tracing::info!(?made, "made partitions");
    }
    for (table, rows) in in_default {
        metrics.default_partition(table, *rows);
        if *rows > 0 {
            tracing::warn!(
                table,
                rows,
                ?refused,
                "rows are in the default partition: the retention deletes them one by one"
            );
        }
    }
}
