//! The verification worker: in the server process, or as a process of its own.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::open::{self, AppError, Opened};
use super::tasks::Tasks;
use super::{
    CLOSE_TIMEOUT, Signals, address, bind, events, housekeeping, keys, last_metrics, queues, services, webhooks,
};
use crate::ambient::{SharedAmbient, System};
use crate::config::{Config, ProviderKind, VendorConfig};
use crate::server::admin::Readiness;
use crate::server::{admin, listener};
use crate::service::events::Feed;
use crate::signing::SigningSecret;
use crate::telemetry::Metrics;
use crate::vault::documents::DocumentStore;
use crate::verification::circuit::Circuit;
use crate::verification::rules::{self, Rules};
use crate::verification::vendor::{MAX_FILE_BYTES, Vendor, VendorOptions};
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
    let metrics = Metrics::new(&config.telemetry).map_err(AppError::start)?;
    let admin_service = admin::service(readiness.clone(), metrics.clone());
    admin.spawn(|stop| listener::serve(admin_listener, admin_service, stop));
    let opened = tokio::select! {
        opened = open::ready(&config, ambient, metrics, &readiness) => opened?,
        () = signals.told_to_stop() => return Ok(()),
    };
    keys::check(&opened).await?;
    let documents = services::documents(&config, &opened).await?;
    let worker = worker(&config, &opened, documents, Arc::default())?;
    let sender = webhooks::sender(&config, &opened)?;
    let background = Tasks::default();
    run(&worker, &opened.metrics, &background, &readiness);
    queues::measure(&opened, &background);
    events::place(&Arc::new(Feed::new(opened.store.clone())), &background);
    webhooks::run(&sender, &background, &readiness);
    readiness.ready(opened.store.clone());
    housekeeping::reconnect(&opened.store, &background);
    housekeeping::report(&readiness, None, &opened.metrics, &background);
    tracing::info!(provider = worker.health().provider, "working");
    signals.told_to_stop().await;
    readiness.wait("stopping");
    opened.metrics.ready(false);
    background.stop();
    if tokio::time::timeout(config.server.shutdown_timeout, background.ended()).await.is_err() {
        tracing::warn!("work under way is dropped; its leases end by themselves");
    }
    if tokio::time::timeout(CLOSE_TIMEOUT, opened.store.close()).await.is_err() {
        tracing::warn!("the database is left before it has ended what it was doing");
    }
    last_metrics(opened.metrics).await;
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
        metrics: opened.metrics.clone(),
    };
    Ok(Worker::new(parts, provider(config)?))
}

/// Lets the worker run, and shows at `/readyz` and in metrics how it is.
pub(super) fn run(worker: &Arc<Worker>, metrics: &Metrics, background: &Tasks, readiness: &Readiness) {
    show(worker, readiness);
    let watched = Arc::downgrade(worker);
    metrics.watch_circuit(worker.health().provider, move || {
        watched.upgrade().is_some_and(|worker| worker.health().circuit != Circuit::CLOSED)
    });
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
        ProviderKind::Sandbox if !config.is_embedded() => {
            tracing::warn!("the sandbox verifies everybody: KIRA_VERIFICATION_PROVIDER names another provider");
            Ok(Arc::new(Sandbox::new(config.verification.sandbox_delay)))
        }
        ProviderKind::Sandbox => Ok(Arc::new(Sandbox::new(config.verification.sandbox_delay))),
        ProviderKind::Rules => {
            Ok(Arc::new(Rules::new(config.verification.rules_auto_approve, rules::Budget::default())))
        }
        ProviderKind::Http => {
            let vendor =
                config.verification.vendor.as_ref().ok_or_else(|| AppError::start("no vendor is configured"))?;
            let options = VendorOptions {
                url: vendor.url.clone(),
                secret: signing_secret(vendor)?,
                timeout: vendor.timeout,
                max_file_bytes: MAX_FILE_BYTES,
            };
            Ok(Arc::new(Vendor::new(options).map_err(AppError::start)?))
        }
    }
}

/// What the vendor signs callbacks with, where there is one.
pub(super) fn callback_secret(config: &Config) -> Result<Option<SigningSecret>, AppError> {
    config.verification.vendor.as_ref().map(signing_secret).transpose()
}

fn signing_secret(vendor: &VendorConfig) -> Result<SigningSecret, AppError> {
    SigningSecret::parse(vendor.secret.expose()).map_err(AppError::start)
}
