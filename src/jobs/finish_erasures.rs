//! Clears webhooks of erased users, and stores the certificates beside the documents.

use std::time::Duration;

use super::{Job, Lock, ServerDeps, TaskGroup};

/// Two processes that do the same write the same.
pub(super) const JOB: Job = Job {
    name: "finish_erasures",
    interval: Duration::from_secs(30),
    time_limit: Duration::from_secs(600),
    lock: Lock::Rows,
    metrics: &[],
};

pub(super) fn start(server: &ServerDeps, tasks: &TaskGroup) {
    let eraser = server.eraser.clone();
    tasks.spawn_job(&JOB, move || {
        let eraser = eraser.clone();
        async move {
            if let Err(error) = eraser.finish().await {
                tracing::warn!(code = ?error.code(), "finishing erasures failed; the next round continues");
            }
        }
    });
}
