//! The verification worker: in the server process, or as a process of its own.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::open::{self, AppError, Opened};
use super::{Signals, Tasks, address, bind, keys};
use crate::ambient::{SharedAmbient, System};
use crate::config::{Config, ProviderKind};
use crate::server::admin::Readiness;
use crate::server::{admin, listener};
use crate::vault::documents::DocumentStore;
use crate::verification::{Parts, Provider, Sandbox, Worker};

/// Works without doors until the process is told to stop; only the admin port is open.
///
/// # Errors
/// The worker cannot start.
pub async fn work(config: Config) -> Result<(), AppError> {
    let ambient: SharedAmbient = Arc::new(System::default());
    let mut signals = Signals::listen().map_err(AppError::start)?;
    let admin = Tasks::default();
    let readiness = Readiness::waiting("starting");
    let admin_listener = bind(config.server.admin_addr).await?;
    tracing::info!(admin = %address(&admin_listener)?, "starting");
    admin.spawn(|stop| listener::serve(admin_listener, admin::service(readiness.clone()), stop));
    let opened = tokio::select! {
        opened = open::ready(&config, ambient, &readiness) => opened?,
        () = signals.told_to_stop() => return Ok(()),
    };
    keys::check(&opened).await?;
    let documents = DocumentStore::open(&config.documents.url).map_err(AppError::start)?;
    let worker = worker(&config, &opened, documents, Arc::default())?;
    let background = Tasks::default();
    run(&worker, &background, &readiness);
    readiness.ready(opened.store.clone());
    tracing::info!(provider = worker.health().provider, "working");
    signals.told_to_stop().await;
    readiness.wait("stopping");
    background.stop();
    if tokio::time::timeout(config.server.shutdown_timeout, background.ended()).await.is_err() {
        tracing::warn!("verifications under way are dropped; their leases end by themselves");
    }
    opened.store.close().await;
    Ok(())
}

/// A worker for the configured provider.
///
/// # Errors
/// The provider cannot be used.
pub(super) fn worker(
    config: &Config,
    opened: &Opened,
    documents: DocumentStore,
    wanted: Arc<Notify>,
) -> Result<Arc<Worker>, AppError> {
    let parts = Parts {
        store: opened.store.clone(),
        vault: opened.vault.clone(),
        documents,
        ambient: Arc::clone(&opened.ambient),
        wanted,
    };
    Ok(Worker::new(parts, provider(config)?))
}

/// Lets the worker run, and shows at `/readyz` how it is.
pub(super) fn run(worker: &Arc<Worker>, background: &Tasks, readiness: &Readiness) {
    show(worker, readiness);
    let worker = Arc::clone(worker);
    background.spawn(|stop| worker.run(stop));
}

/// Shows at `/readyz` how the worker is. A provider that is down is no reason to refuse traffic.
pub(super) fn show(worker: &Arc<Worker>, readiness: &Readiness) {
    let worker = Arc::clone(worker);
    readiness.show("verification", move || {
        let health = worker.health();
        json!({"provider": health.provider, "worker": health.running, "circuit": health.circuit})
    });
}

fn provider(config: &Config) -> Result<Arc<dyn Provider>, AppError> {
    match config.verification.provider {
        ProviderKind::Sandbox => Ok(Arc::new(Sandbox::new(config.verification.sandbox_delay))),
        kind @ (ProviderKind::Rules | ProviderKind::Http) => Err(AppError::Provider(kind.as_str())),
    }
}
