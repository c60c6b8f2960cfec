//! Erases users that have not changed for as long as users of their status are kept, where there is such a limit.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Job, JobDeps, Lock, ServerDeps, TaskGroup};

/// For how long one process erases alone: a little less than until its next round.
const LEASE: TimeDelta = TimeDelta::seconds(590);
/// Users of a round.
const MOST: u64 = 10_000;

/// A user that another process erases is erased once.
pub(super) const JOB: Job = Job {
    name: "erase_expired",
    interval: Duration::from_secs(600),
    time_limit: Duration::from_secs(590),
    lock: Lock::Lease,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, server: &ServerDeps, tasks: &TaskGroup) {
    let (store, env, eraser) = (deps.store.clone(), Arc::clone(&deps.env), server.eraser.clone());
    if eraser.retention.expired(env.now()).next().is_none() {
        return;
    }
    tasks.spawn_job(&JOB, move || {
        let (store, env, eraser) = (store.clone(), Arc::clone(&env), eraser.clone());
        async move {
            let now = env.now();
            match store.take_lease(JOB.name, now, now + LEASE).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::warn!(%error, "erasing expired users failed; the next round continues"),
            }
            match eraser.erase_expired(MOST).await {
                Ok(0) => {}
                Ok(users) => tracing::info!(users, "erased users that had expired"),
                Err(error) => {
                    tracing::warn!(code = ?error.code(), "erasing expired users failed; the next round continues");
                }
            }
        }
    });
}
