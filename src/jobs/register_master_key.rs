//! Renews the marker of the active master key, so that `keys rotate-master` knows that a process seals under it.

use super::{Job, JobDeps, Lock, TaskGroup};
use crate::service::master_keys;

pub(super) const JOB: Job = Job {
    name: "register_master_key",
    interval: master_keys::RENEWAL,
    time_limit: master_keys::RENEWAL,
    lock: Lock::None,
    metrics: &[],
};

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let (store, vault, env) = (deps.store.clone(), deps.vault.clone(), deps.env.clone());
    tasks.spawn_job(&JOB, move || {
        let (store, vault, env) = (store.clone(), vault.clone(), env.clone());
        async move {
            if let Err(error) = master_keys::register(&store, &vault, env.as_ref()).await {
                tracing::warn!(%error, "the marker of the active master key is not renewed; the next round retries");
            }
        }
    });
}
