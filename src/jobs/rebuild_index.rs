//! Indexes users that have no entries of this version of the index: once after an upgrade that changes what is indexed, and a
//! look at all users every day.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Job, JobDeps, Lock, ServerDeps, TaskGroup};

/// For how long one process indexes alone: a little less than until its next round.
const LEASE: TimeDelta = TimeDelta::seconds(25);
/// How many pages of users one round takes at most.
const PAGES: usize = 40;

/// Progress is recorded with each page.
pub(super) const JOB: Job = Job {
    name: "rebuild_index",
    interval: Duration::from_secs(30),
    time_limit: Duration::from_secs(600),
    lock: Lock::Lease,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, server: &ServerDeps, tasks: &TaskGroup) {
    let (rebuild, env) = (server.index.clone(), Arc::clone(&deps.env));
    tasks.spawn_job(&JOB, move || {
        let (rebuild, env) = (rebuild.clone(), Arc::clone(&env));
        async move {
            let now = env.now();
            match rebuild.store.take_lease(JOB.name, now, now + LEASE).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::warn!(%error, "indexing users failed; the next round continues"),
            }
            match rebuild.run(env.as_ref(), PAGES).await {
                Ok(rebuilt) if rebuilt.indexed + rebuilt.left + rebuilt.pruned > 0 => {
                    tracing::info!(?rebuilt, "indexed users of another version");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "indexing users failed; the next round continues"),
            }
        }
    });
}
