//! Deletes the objects of removed documents, and uploads that no row refers to.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Job, JobDeps, Lock, TaskGroup};
use crate::service::orphans;

/// For how long one process sweeps alone: a little less than until its next round.
const LEASE: TimeDelta = TimeDelta::seconds(590);

/// A watermark keeps each hour of uploads from being listed again.
pub(super) const JOB: Job = Job {
    name: "sweep_documents",
    interval: Duration::from_secs(600),
    time_limit: Duration::from_secs(600),
    lock: Lock::Lease,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let (store, documents, env) = (deps.store.clone(), deps.documents.clone(), Arc::clone(&deps.env));
    tasks.spawn_job(&JOB, move || {
        let (store, documents, env) = (store.clone(), documents.clone(), Arc::clone(&env));
        async move {
            let now = env.now();
            match store.take_lease(JOB.name, now, now + LEASE).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::warn!(%error, "sweeping documents failed; the next round continues"),
            }
            match orphans::sweep(&store, &documents, now).await {
                Ok(swept) if swept.orphans > 0 => tracing::info!(?swept, "deleted the files of failed requests"),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "sweeping documents failed; the next round continues"),
            }
        }
    });
}
