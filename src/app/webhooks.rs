//! The sender of webhooks, beside the verification worker, and what manages endpoints.

use std::sync::Arc;

use serde_json::json;

use super::open::{AppError, Opened};
use super::tasks::Tasks;
use crate::config::Config;
use crate::server::admin::Readiness;
use crate::service::webhooks::WebhookDesk;
use crate::webhook::guard::Guard;
use crate::webhook::schedule::Schedule;
use crate::webhook::{Client, Parts, Sender, SystemLookup};

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
