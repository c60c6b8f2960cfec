//! The tasks behind the streams of events.

use std::sync::Arc;
use std::time::Duration;

use super::tasks::{Recurring, Tasks};
use crate::service::events::Feed;

/// How often events are looked for that nobody told of. It makes streams sure; what makes them prompt is told.
const LOOK: Recurring =
    Recurring { name: "look for events", interval: Duration::from_secs(1), limit: Duration::from_secs(60) };
/// How often a connection to listen on is asked for again after it was lost.
const LISTEN: Recurring =
    Recurring { name: "listen for events", interval: Duration::from_secs(5), limit: Duration::MAX };
/// Following this process's own events ends only by a panic.
const FOLLOW: Recurring =
    Recurring { name: "follow own events", interval: Duration::from_secs(1), limit: Duration::MAX };

/// Keeps the feed of a process that is watched moving.
pub(super) fn run(feed: &Arc<Feed>, background: &Tasks) {
    place(feed, background);
    let feed = Arc::clone(feed);
    background.spawn(|stop| {
        LISTEN.run(stop, move || {
            let feed = Arc::clone(&feed);
            async move {
                if let Err(error) = feed.follow_others().await {
                    tracing::warn!(%error, "events of other processes are looked for, not heard of");
                }
            }
        })
    });
}

/// Gives events their places: those of this process at once, and any that were left over.
pub(super) fn place(feed: &Arc<Feed>, background: &Tasks) {
    let (own, all) = (Arc::clone(feed), Arc::clone(feed));
    background.spawn(|stop| {
        FOLLOW.run(stop, move || {
            let feed = Arc::clone(&own);
            async move { feed.follow_own().await }
        })
    });
    background.spawn(|stop| {
        LOOK.run(stop, move || {
            let feed = Arc::clone(&all);
            async move {
                if let Err(error) = feed.refresh().await {
                    tracing::warn!(%error, "events get their places later");
                }
            }
        })
    });
}
