//! What recurs in every server process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::open::Opened;
use super::services::Health;
use super::tasks::{Recurring, Tasks};
use crate::auth::{Authenticator, REFRESH_INTERVAL};
use crate::server::admin::Readiness;
use crate::service::orphans;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::vault::documents::DocumentStore;
use crate::verification::overdue;

/// How often the files of requests that failed are looked for.
const SWEEP: Recurring =
    Recurring { name: "sweep of files", interval: Duration::from_secs(600), limit: Duration::from_secs(600) };
/// How often attempts past their deadline are looked for; also where no worker runs.
const DEADLINES: Recurring =
    Recurring { name: "deadlines of verifications", interval: Duration::from_secs(5), limit: Duration::from_secs(60) };
/// How often the keys of tokens are read again. Far longer than the timeouts of what it asks.
const REFRESH: Recurring =
    Recurring { name: "refresh of keys", interval: REFRESH_INTERVAL, limit: Duration::from_secs(60) };
/// How often others learn what readiness says; each time costs one ping of the database.
const REPORT: Recurring =
    Recurring { name: "report of health", interval: Duration::from_secs(5), limit: Duration::from_secs(5) };
/// How often it is asked whether the connections to the database still work.
const RECONNECT: Recurring =
    Recurring { name: "look after connections", interval: Duration::from_secs(5), limit: Duration::from_secs(30) };
/// So many rounds without any answer are taken for dead connections.
const SILENT_ROUNDS: u32 = 3;
/// How long the database may take for a sign of life.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take to make a new connection.
const RENEW_TIMEOUT: Duration = Duration::from_secs(10);

/// Refreshes keys, removes files that nobody refers to, and looks after attempts past their deadline.
pub(super) fn run(opened: &Opened, documents: DocumentStore, authenticator: Arc<Authenticator>, background: &Tasks) {
    background.spawn(|stop| {
        REFRESH.run(stop, move || {
            let authenticator = Arc::clone(&authenticator);
            async move { authenticator.refresh().await }
        })
    });
    let (store, ambient) = (opened.store.clone(), Arc::clone(&opened.ambient));
    background.spawn(|stop| {
        SWEEP.run(stop, move || {
            let (store, documents, ambient) = (store.clone(), documents.clone(), Arc::clone(&ambient));
            async move {
                match orphans::sweep(&store, &documents, ambient.now()).await {
                    Ok(swept) if swept.orphans > 0 => tracing::info!(?swept, "removed files of requests that failed"),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "the sweep of files goes on later"),
                }
            }
        })
    });
    let (store, ambient) = (opened.store.clone(), Arc::clone(&opened.ambient));
    background.spawn(|stop| {
        DEADLINES.run(stop, move || {
            let (store, ambient) = (store.clone(), Arc::clone(&ambient));
            async move { overdue::review(&store, ambient.as_ref()).await }
        })
    });
}

/// Replaces connections to the database that are dead without knowing it. Those that are only busy answer something.
pub(super) fn reconnect(store: &Store, background: &Tasks) {
    let (store, silence) = (store.clone(), Arc::new(Mutex::new(Silence::default())));
    background.spawn(|stop| {
        RECONNECT.run(stop, move || {
            let (store, silence) = (store.clone(), Arc::clone(&silence));
            async move {
                let answers = matches!(tokio::time::timeout(PING_TIMEOUT, store.ping()).await, Ok(Ok(())));
                if !silence.lock().unwrap_or_else(PoisonError::into_inner).lasts(answers, store.answered()) {
                    return;
                }
                // Where the database is away, there is nothing to connect to, and the next round looks again.
                if let Ok(Ok(())) = tokio::time::timeout(RENEW_TIMEOUT, store.renew()).await {
                    tracing::warn!("the connections to the database were dead, and are replaced");
                }
            }
        })
    });
}

/// For how many rounds the database has answered nothing.
#[derive(Debug, Default)]
struct Silence {
    rounds: u32,
    answered: u64,
}

impl Silence {
    /// Takes in a round; whether it has been silent for too many.
    fn lasts(&mut self, answers: bool, answered: u64) -> bool {
        let spoke = answers || answered != self.answered;
        self.answered = answered;
        self.rounds = if spoke { 0 } else { self.rounds + 1 };
        self.rounds >= SILENT_ROUNDS
    }
}

/// Tells metrics, and gRPC's health service where there is one, what readiness says.
pub(super) fn report(readiness: &Readiness, health: Option<&Health>, metrics: &Metrics, background: &Tasks) {
    let (readiness, health, metrics) = (readiness.clone(), health.cloned(), metrics.clone());
    background.spawn(|stop| {
        REPORT.run(stop, move || {
            let (readiness, health, metrics) = (readiness.clone(), health.clone(), metrics.clone());
            async move {
                let is_ready = readiness.obstacle().await.is_none();
                metrics.ready(is_ready);
                if let Some(health) = health {
                    health.report(is_ready).await;
                }
            }
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_dead_after_rounds_in_which_nothing_at_all_was_answered() {
        let mut silence = Silence::default();
        assert!(!silence.lasts(false, 7), "something was answered since the beginning");
        assert!(!silence.lasts(false, 7) && !silence.lasts(false, 7));
        assert!(silence.lasts(false, 7));
        assert!(!silence.lasts(false, 8), "it is only busy");
        assert!(!silence.lasts(false, 8) && !silence.lasts(false, 8) && !silence.lasts(true, 8));
        assert!(!silence.lasts(false, 8), "the count begins anew");
    }
}
