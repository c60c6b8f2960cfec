//! Refreshes the statistics that SQLite plans by, where they are outdated; the first time at the start.

use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};

pub(super) const JOB: Job = Job {
    name: "refresh_statistics",
    interval: Duration::from_secs(3_600),
    time_limit: Duration::from_secs(600),
    lock: Lock::None,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let store = deps.store.clone();
    tasks.spawn_job(&JOB, move || {
        let store = store.clone();
        async move {
            if let Err(error) = store.optimize().await {
                tracing::warn!(%error, "refreshing the statistics of the database failed; the next round retries");
            }
        }
    });
}
