//! Moves verification attempts past their deadline to REVIEW, also where no worker runs.

use std::sync::Arc;
use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};
use crate::verification::overdue;

pub(super) const JOB: Job = Job {
    name: "review_overdue",
    interval: Duration::from_secs(5),
    time_limit: Duration::from_secs(60),
    lock: Lock::Rows,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let (store, env) = (deps.store.clone(), Arc::clone(&deps.env));
    tasks.spawn_job(&JOB, move || {
        let (store, env) = (store.clone(), Arc::clone(&env));
        async move { overdue::review(&store, env.as_ref()).await }
    });
}
