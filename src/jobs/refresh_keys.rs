//! Reads the keys of tokens again, so that a rotation in another process or at the identity provider is known here.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, Lock, ServerDeps, TaskGroup};
use crate::auth::REFRESH_INTERVAL;

/// The time limit is far above the timeouts of the requests for keys.
pub(super) const JOB: Job = Job {
    name: "refresh_keys",
    interval: REFRESH_INTERVAL,
    time_limit: Duration::from_secs(60),
    lock: Lock::None,
    metrics: &[],
};

pub(super) fn start(server: &ServerDeps, tasks: &TaskGroup) {
    let authenticator = Arc::clone(&server.authenticator);
    tasks.spawn_job(&JOB, move || {
        let authenticator = Arc::clone(&authenticator);
        async move { authenticator.refresh().await }
    });
}
