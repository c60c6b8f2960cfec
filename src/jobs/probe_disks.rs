//! Probes the disks of an embedded database and of a local folder of documents. The process is not ready while a disk
//! takes no files or writes of the database fail, and becomes ready again by itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};

pub(super) const JOB: Job = Job {
    name: "probe_disks",
    interval: Duration::from_secs(2),
    time_limit: Duration::from_secs(30),
    lock: Lock::None,
    metrics: &["kira_ready"],
};

/// The size of a probe, in bytes: more than a database needs for one change.
const PROBE_BYTES: usize = 256 << 10;

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let store = deps.store.clone();
    deps.readiness.add_condition(move || store.write_obstacle().map(str::to_owned));
    let database = deps.store.folder().map(|folder| ("the database", folder.to_owned()));
    let documents = deps.documents.folder().map(|folder| ("the documents", folder));
    let folders: Vec<_> = database.into_iter().chain(documents).collect();
    let failure = Arc::new(Mutex::new(None));
    let shown = Arc::clone(&failure);
    deps.readiness.add_condition(move || shown.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let store = deps.store.clone();
    tasks.spawn_job(&JOB, move || {
        let (store, folders, failure) = (store.clone(), folders.clone(), Arc::clone(&failure));
        async move {
            // `Store::write_obstacle` has the result.
            let _ = store.probe_writes().await;
            // The task fails only when the process ends.
            let found = tokio::task::spawn_blocking(move || probe(&folders)).await.unwrap_or_default();
            let mut known = failure.lock().unwrap_or_else(PoisonError::into_inner);
            match (&*known, &found) {
                (None, Some(reason)) => tracing::error!(reason, "not ready: a disk takes no files"),
                (Some(_), None) => tracing::info!("the disks take files again"),
                _ => {}
            }
            *known = found;
        }
    });
}

/// Why one of the folders takes no file, if one does not.
fn probe(folders: &[(&str, PathBuf)]) -> Option<String> {
    folders.iter().find_map(|(name, folder)| {
        let error = write_and_remove(folder).err()?;
        Some(format!("the folder of {name} takes no files: {error}"))
    })
}

fn write_and_remove(folder: &Path) -> std::io::Result<()> {
    let file = folder.join(format!(".write-probe-{}", std::process::id()));
    let written = std::fs::write(&file, vec![0; PROBE_BYTES]);
    let removed = std::fs::remove_file(&file);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_takes_files_is_left_as_it_was_and_one_that_does_not_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let gone = folder.path().join("gone");
        assert_eq!(probe(&[("the database", folder.path().to_owned())]), None);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        let found = probe(&[("the database", folder.path().to_owned()), ("the documents", gone)]);
        assert!(found.is_some_and(|reason| reason.starts_with("the folder of the documents takes no files: ")));
    }
}
