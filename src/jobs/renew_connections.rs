//! Replaces half-open connections to the database. While connections are only busy, other statements are answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Job, JobDeps, Lock, TaskGroup};
use crate::store::Store;

pub(super) const JOB: Job = Job {
    name: "renew_connections",
    interval: Duration::from_secs(5),
    time_limit: Duration::from_secs(30),
    lock: Lock::None,
    metrics: &["kira_database_connections"],
};

/// After this number of rounds without any answer the connections are replaced.
const SILENT_ROUNDS: u32 = 3;
/// How long the database may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a new connection may take.
const RENEW_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn start(deps: &JobDeps, tasks: &TaskGroup) {
    let (store, tracker) = (deps.store.clone(), Arc::new(Mutex::new(UnresponsiveTracker::default())));
    tasks.spawn_job(&JOB, move || {
        let (store, tracker) = (store.clone(), Arc::clone(&tracker));
        async move { check(&store, &tracker).await }
    });
}

async fn check(store: &Store, tracker: &Mutex<UnresponsiveTracker>) {
    let answers = matches!(tokio::time::timeout(PING_TIMEOUT, store.ping()).await, Ok(Ok(())));
    if !tracker.lock().unwrap_or_else(PoisonError::into_inner).is_unresponsive(answers, store.answered()) {
        return;
    }
    // While the database is unreachable no connection can be made; the next round tries again.
    if let Ok(Ok(())) = tokio::time::timeout(RENEW_TIMEOUT, store.renew()).await {
        tracing::warn!("replaced half-open connections to the database");
    }
}

/// Counts the rounds in which the database answered nothing.
#[derive(Debug, Default)]
struct UnresponsiveTracker {
    rounds: u32,
    answered: u64,
}

impl UnresponsiveTracker {
    /// Records a round. Returns whether there were too many without an answer.
    fn is_unresponsive(&mut self, answers: bool, answered: u64) -> bool {
        let has_answered = answers || answered != self.answered;
        self.answered = answered;
        self.rounds = if has_answered { 0 } else { self.rounds + 1 };
        self.rounds >= SILENT_ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_half_open_after_rounds_in_which_nothing_at_all_was_answered() {
        let mut tracker = UnresponsiveTracker::default();
        assert!(!tracker.is_unresponsive(false, 7), "something was answered since the start");
        assert!(!tracker.is_unresponsive(false, 7) && !tracker.is_unresponsive(false, 7));
        assert!(tracker.is_unresponsive(false, 7));
        assert!(!tracker.is_unresponsive(false, 8), "it is only busy");
        assert!(
            !tracker.is_unresponsive(false, 8)
                && !tracker.is_unresponsive(false, 8)
                && !tracker.is_unresponsive(true, 8)
        );
        assert!(!tracker.is_unresponsive(false, 8), "the count starts again");
    }
}
