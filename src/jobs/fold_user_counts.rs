//! Adds the changes of the numbers of users to their sums, so that a total is read from few rows.

use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};

/// The rows of a batch are locked; another process skips them.
pub(super) const JOB: Job = Job {
    name: "fold_user_counts",
    interval: Duration::from_secs(5),
    time_limit: Duration::from_secs(60),
    lock: Lock::Rows,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let store = deps.store.clone();
    tasks.spawn_job(&JOB, move || {
        let store = store.clone();
        async move {
            if let Err(error) = store.fold_user_counts().await {
                tracing::warn!(%error, "the numbers of users are not summed up; the next round sums them up");
            }
        }
    });
}
