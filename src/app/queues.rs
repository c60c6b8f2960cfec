//! Measures what waits.

use std::sync::Arc;
use std::time::Duration;

use super::open::Opened;
use super::tasks::{Recurring, Tasks};

/// How often. Every process asks, so that the figures do not depend on one of them.
const MEASURE: Recurring =
    Recurring { name: "measure of queues", interval: Duration::from_secs(15), limit: Duration::from_secs(10) };

/// Shows in metrics how much waits in each queue, and for how long.
pub(super) fn measure(opened: &Opened, background: &Tasks) {
    let Opened { store, ambient, metrics, .. } = opened.clone();
    background.spawn(|stop| {
        MEASURE.run(stop, move || {
            let (store, ambient, metrics) = (store.clone(), Arc::clone(&ambient), metrics.clone());
            async move {
                match store.queues(ambient.now()).await {
                    Ok(queues) => queues.iter().for_each(|queue| {
                        metrics.queue(queue.name, queue.depth, queue.oldest_age.to_std().unwrap_or_default());
                    }),
                    Err(error) => tracing::warn!(%error, "the queues are measured later"),
                }
            }
        })
    });
}
