//! Records that the runtime that serves requests runs tasks: `/healthz` fails when it does not.

use std::time::Duration;

use super::{Job, Lock, TaskGroup};
use crate::health::Readiness;

pub(super) const JOB: Job = Job {
    name: "heartbeat",
    interval: Duration::from_secs(1),
    time_limit: Duration::from_secs(600),
    lock: Lock::None,
    metrics: &[],
};

/// Starts with the admin listener, before the other jobs.
pub fn start(readiness: &Readiness, tasks: &TaskGroup) {
    let readiness = readiness.clone();
    tasks.spawn_job(&JOB, move || {
        readiness.heartbeat();
        std::future::ready(())
    });
}
