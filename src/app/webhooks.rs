//! The sender of webhooks, beside the verification worker, and what manages endpoints.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::open::{AppError, Opened};
use super::tasks::{Recurring, Tasks};
use crate::config::Config;
use crate::server::admin::Readiness;
use crate::service::webhooks::WebhookDesk;
use crate::webhook::guard::Guard;
use crate::webhook::schedule::Schedule;
use crate::webhook::{Client, Parts, Sender, SystemLookup, retention};

/// How often the records of deliveries that are kept no longer are looked for.
const RETENTION: Recurring =
    Recurring { name: "retention of webhooks", interval: Duration::from_secs(600), limit: Duration::from_secs(600) };

/// The webhooks of an opened installation, for the service and the command line.
#[must_use]
pub fn webhook_desk(config: &Config, opened: &Opened) -> WebhookDesk {
    WebhookDesk {
        store: opened.store.clone(),
        vault: opened.vault.clone(),
        ambient: Arc::clone(&opened.ambient),
        guard: Guard::new(&config.webhook.allow),
    }
}

/// A sender as it is configured.
///
/// # Errors
/// The means to make requests cannot be had.
pub(super) fn sender(config: &Config, opened: &Opened) -> Result<Arc<Sender>, AppError> {
    let guard = Guard::new(&config.webhook.allow);
    let client = Client::new(guard, Arc::new(SystemLookup), config.webhook.timeout).map_err(AppError::start)?;
    Ok(Sender::new(Parts {
        store: opened.store.clone(),
        vault: opened.vault.clone(),
        ambient: Arc::clone(&opened.ambient),
        client,
        schedule: Schedule::new(config.webhook.schedule.clone()),
        metrics: opened.metrics.clone(),
    }))
}

/// Lets the sender run, and shows at `/readyz` how it is.
pub(super) fn run(sender: &Arc<Sender>, background: &Tasks, readiness: &Readiness) {
    show(sender, readiness);
    let sender = Arc::clone(sender);
    background.spawn(|stop| sender.run(stop));
}

/// Shows at `/readyz` how the sender is. Endpoints that fail are their owners' matter, not a reason to refuse traffic.
pub(super) fn show(sender: &Arc<Sender>, readiness: &Readiness) {
    let sender = Arc::clone(sender);
    readiness.show("webhooks", move || {
        let health = sender.health();
        json!({"sender": health.running, "sending": health.sending})
    });
}

/// Removes the records of deliveries that are kept no longer, if any ever are.
pub(super) fn forget(config: &Config, opened: &Opened, background: &Tasks) {
    let Some(keep) = config.webhook.retention else { return };
    let (store, ambient) = (opened.store.clone(), Arc::clone(&opened.ambient));
    background.spawn(move |stop| {
        RETENTION.run(stop, move || {
            let (store, ambient) = (store.clone(), Arc::clone(&ambient));
            async move {
                match retention::sweep(&store, ambient.now(), keep).await {
                    Ok(0) => {}
                    Ok(removed) => tracing::info!(removed, "removed the records of old webhooks"),
                    Err(error) => tracing::warn!(%error, "the records of old webhooks are removed later"),
                }
            }
        })
    });
}
