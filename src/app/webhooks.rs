//! Builds the webhook sender and the administration of webhook endpoints.

use std::sync::Arc;

use serde_json::json;

use super::keys;
use super::open::{AppError, Resources};
use crate::config::Config;
use crate::health::Readiness;
use crate::service::webhooks::WebhookAdmin;
use crate::webhook::guard::AddressGuard;
use crate::webhook::schedule::Schedule;
use crate::webhook::{Client, Sender, SenderDeps, SystemLookup};

/// The administration of webhooks, for the service and the command line.
///
/// # Errors
/// The database is unreachable, or its secrets do not open.
pub async fn webhook_admin(config: &Config, resources: &Resources) -> Result<WebhookAdmin, AppError> {
    Ok(WebhookAdmin {
        store: resources.store.clone(),
        vault: resources.vault.clone(),
        env: Arc::clone(&resources.env),
        guard: AddressGuard::new(&config.webhook.allow),
        fingerprints: keys::fingerprints(resources).await?,
    })
}

/// The configured sender.
///
/// # Errors
/// The HTTP client cannot be made.
pub(super) fn sender(config: &Config, resources: &Resources) -> Result<Arc<Sender>, AppError> {
    let guard = AddressGuard::new(&config.webhook.allow);
    let client = Client::new(guard, Arc::new(SystemLookup), config.webhook.timeout).map_err(AppError::start)?;
    Ok(Sender::new(SenderDeps {
        store: resources.store.background(),
        vault: resources.vault.clone(),
        env: Arc::clone(&resources.env),
        client,
        schedule: Schedule::new(config.webhook.schedule.clone()),
        metrics: resources.metrics.clone(),
    }))
}

/// Shows the state of the sender at `/readyz`. Failing endpoints do not affect the readiness.
pub(super) fn add_detail(sender: &Arc<Sender>, readiness: &Readiness) {
    let sender = Arc::clone(sender);
    readiness.add_detail("webhooks", move || {
        let health = sender.health();
        json!({"sender": health.running, "sending": health.sending})
    });
}
