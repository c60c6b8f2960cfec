//! Gives events their sequence numbers after the commit: those of this process at once, and any others every second.
//! The row of the counter is locked until the numbers are committed.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};

/// A round ends only by a panic.
pub(super) const OWN: Job = Job {
    name: "sequence_own_events",
    interval: Duration::from_secs(1),
    time_limit: Duration::MAX,
    lock: Lock::Rows,
    metrics: &[],
};

/// Covers events whose notification was lost.
pub(super) const ANY: Job = Job {
    name: "sequence_events",
    interval: Duration::from_secs(1),
    time_limit: Duration::from_secs(60),
    lock: Lock::Rows,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let (own, any) = (Arc::clone(&deps.feed), Arc::clone(&deps.feed));
    tasks.spawn_job(&OWN, move || {
        let feed = Arc::clone(&own);
        async move { feed.follow_own().await }
    });
    tasks.spawn_job(&ANY, move || {
        let feed = Arc::clone(&any);
        async move {
            if let Err(error) = feed.refresh().await {
                tracing::warn!(%error, "events not sequenced; the next round sequences them");
            }
        }
    });
}
