//! Builds the verification worker, and runs it as a process of its own.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::open::{self, AppError, Resources};
use super::{CLOSE_TIMEOUT, Signals, admin, database, flush_metrics, keys, services, sinks, webhooks};
use crate::config::{Config, ProviderKind, VendorConfig};
use crate::env::{SharedEnv, SystemEnv};
use crate::health::Readiness;
use crate::jobs::{self, QueueDeps, TaskGroup};
use crate::service::events::Feed;
use crate::signing::SigningSecret;
use crate::telemetry::Metrics;
use crate::vault::documents::DocumentStore;
use crate::verification::rules::{self, Rules};
use crate::verification::vendor::{MAX_FILE_BYTES, Vendor, VendorOptions};
use crate::verification::{Provider, Sandbox, Worker, WorkerDeps};

/// Processes the queues until a signal stops the process. Only the admin listener is open.
///
/// # Errors
/// The worker cannot start.
pub async fn work(config: Config) -> Result<(), AppError> {
    let env: SharedEnv = Arc::new(SystemEnv::default());
    let mut signals = Signals::listen().map_err(AppError::start)?;
    let admin = TaskGroup::default();
    let readiness = Readiness::not_ready("starting");
    let metrics = Metrics::new(&config.telemetry).map_err(AppError::start)?;
    let admin_addr = admin::serve(config.server.admin_addr, &readiness, &metrics, &admin)?;
    tracing::info!(admin = %admin_addr, "starting");
    let resources = tokio::select! {
        resources = open::ready(&config, env, metrics, &readiness) => resources?,
        () = signals.stop_requested() => return Ok(()),
    };
    keys::check(&resources).await?;
    let documents = services::documents(&config, &resources).await?;
    let worker = worker(&config, &resources, documents.clone(), Arc::default())?;
    let sender = webhooks::sender(&config, &resources)?;
    let relays = sinks::relays(&config, &resources)?;
    let provider = worker.health().provider;
    database::add_detail(&resources.store, &readiness);
    add_detail(&worker, &readiness);
    webhooks::add_detail(&sender, &readiness);
    sinks::add_detail(&relays, &readiness);
    readiness.set_ready(resources.store.clone());
    let background = TaskGroup::default();
    let deps = resources.job_deps(documents, &readiness, Arc::new(Feed::new(resources.store.clone())));
    jobs::start(&deps, None, Some(&QueueDeps { worker, sender, sinks: relays }), &background);
    tracing::info!(provider, "working");
    signals.stop_requested().await;
    readiness.set_not_ready("stopping");
    resources.metrics.ready(false);
    background.stop();
    if tokio::time::timeout(config.server.shutdown_timeout, background.ended()).await.is_err() {
        tracing::warn!("jobs in flight are dropped; their leases expire");
    }
    if tokio::time::timeout(CLOSE_TIMEOUT, resources.store.close()).await.is_err() {
        tracing::warn!("the database did not close in time");
    }
    flush_metrics(resources.metrics).await;
    Ok(())
}

/// The worker with the configured provider.
///
/// # Errors
/// The provider cannot be used.
pub(super) fn worker(
    config: &Config,
    resources: &Resources,
    documents: DocumentStore,
    wake: Arc<Notify>,
) -> Result<Arc<Worker>, AppError> {
    let deps = WorkerDeps {
        store: resources.store.background(),
        vault: resources.vault.clone(),
        documents,
        env: Arc::clone(&resources.env),
        wake,
        metrics: resources.metrics.clone(),
    };
    Ok(Worker::new(deps, provider(config)?))
}

/// Shows the state of the worker at `/readyz`. A provider that is down does not affect the readiness.
pub(super) fn add_detail(worker: &Arc<Worker>, readiness: &Readiness) {
    let worker = Arc::clone(worker);
    readiness.add_detail("verification", move || {
        let health = worker.health();
        json!({"provider": health.provider, "worker": health.running, "circuit": health.circuit})
    });
}

fn provider(config: &Config) -> Result<Arc<dyn Provider>, AppError> {
    match config.verification.provider {
        ProviderKind::Sandbox if !config.is_embedded() => {
            tracing::warn!("the sandbox verifies every user: KIRA_VERIFICATION_PROVIDER selects another provider");
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

/// The secret of the vendor's callbacks, if a vendor is configured.
pub(super) fn callback_secret(config: &Config) -> Result<Option<SigningSecret>, AppError> {
    config.verification.vendor.as_ref().map(signing_secret).transpose()
}

fn signing_secret(vendor: &VendorConfig) -> Result<SigningSecret, AppError> {
    SigningSecret::parse(vendor.secret.expose()).map_err(AppError::start)
}
