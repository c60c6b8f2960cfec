//! Listens for the events of other processes (PostgreSQL `NOTIFY`), so that streams of this process get them at once.
//! A round ends when the connection is lost.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};

pub(super) const JOB: Job = Job {
    name: "listen_for_events",
    interval: Duration::from_secs(5),
    time_limit: Duration::MAX,
    lock: Lock::None,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let feed = Arc::clone(&deps.feed);
    tasks.spawn_job(&JOB, move || {
        let feed = Arc::clone(&feed);
        async move {
            if let Err(error) = feed.follow_others().await {
                tracing::warn!(%error, "listening for events failed: events of other processes are polled for");
            }
        }
    });
}
