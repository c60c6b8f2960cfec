//! Publishes events to the configured brokers: for each a loop that polls, with a lease on the sink. Interval and lease are
//! those of [`Relay`](crate::sink::Relay).

use std::sync::Arc;

use super::{QueueDeps, TaskGroup};

/// The metrics that show its work.
#[cfg(test)]
pub(super) const METRICS: &[&str] = &["kira_sink_published_total", "kira_sink_errors_total"];

pub(super) fn start(queues: &QueueDeps, tasks: &TaskGroup) {
    for relay in &queues.sinks {
        let relay = Arc::clone(relay);
        tasks.spawn(|stop| relay.run(stop));
    }
}
