//! What recurs in every server process.

use std::sync::Arc;
use std::time::Duration;

use super::open::Opened;
use super::services::Health;
use super::tasks::{Recurring, Tasks};
use crate::auth::{Authenticator, REFRESH_INTERVAL};
use crate::server::admin::Readiness;
use crate::service::orphans;
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
