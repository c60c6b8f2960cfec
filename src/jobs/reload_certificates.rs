//! Reads the TLS files of the listeners again. They are compared by content: renewals swap links or write in place, and
//! some file systems send no notification.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobDeps, Lock, ServerDeps, TaskGroup};

pub(super) const JOB: Job = Job {
    name: "reload_certificates",
    interval: Duration::from_secs(5),
    time_limit: Duration::from_secs(60),
    lock: Lock::None,
    metrics: &["kira_tls_certificate_not_after_timestamp_seconds"],
};

pub(super) fn start(deps: &JobDeps, server: &ServerDeps, tasks: &TaskGroup) {
    for (protocol, tls) in &server.certificates {
        let watched = Arc::clone(tls);
        deps.metrics.watch_certificate(protocol, move || Some(watched.not_after().timestamp()));
        let (tls, env) = (Arc::clone(tls), Arc::clone(&deps.env));
        tasks.spawn_job(&JOB, move || {
            let (tls, now) = (Arc::clone(&tls), env.now());
            // Reading may block. The panic hook logs a panic of it.
            async move { drop(tokio::task::spawn_blocking(move || tls.reload(now)).await) }
        });
    }
}
