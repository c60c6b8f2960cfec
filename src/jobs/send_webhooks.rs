//! Relays events to webhook deliveries and sends them: a loop that new events wake, with a lease on each delivery.
//! Interval and lease are those of [`Sender`](crate::webhook::Sender).

use std::sync::Arc;

use super::{QueueDeps, TaskGroup};

/// The metrics that show its work.
#[cfg(test)]
pub(super) const METRICS: &[&str] =
    &["kira_webhook_attempts_total", "kira_webhook_attempt_duration_seconds", "kira_webhook_endpoints_disabled_total"];

pub(super) fn start(queues: &QueueDeps, tasks: &TaskGroup) {
    let sender = Arc::clone(&queues.sender);
    tasks.spawn(|stop| sender.run(stop));
}
