//! How watchers learn that there is something new: promptly by what this process writes and what PostgreSQL tells of the
//! others, and surely by asking now and then.

use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Engine, Store, StoreError};

/// After a prompt round the next one waits this long: so many events at once cost one transaction.
const PAUSE: Duration = Duration::from_millis(10);

/// The head of the order of events, as far as this process knows.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    head: watch::Sender<i64>,
}

impl Feed {
    /// The feed of a database. It moves by `refresh`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, head: watch::Sender::new(0) }
    }

    /// Told whenever there may be new events; the position of the last one comes with it.
    pub(super) fn subscribe(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Gives positions to the events that have none, and tells the watchers of new ones, whoever wrote them.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.store.position_events().await?;
        if self.is_watched() {
            let last = self.store.last_position().await?;
            self.head.send_if_modified(|head| {
                let is_new = last > *head;
                *head = Ord::max(*head, last);
                is_new
            });
        }
        Ok(())
    }

    /// Refreshes as soon as this process has written events, while anybody may watch: on SQLite those who watch this
    /// process, on PostgreSQL perhaps others. Ends by being dropped.
    pub async fn follow_own(&self) {
        loop {
            self.store.events_written().await;
            if self.is_watched() || self.store.engine() == Engine::Postgres {
                self.refresh_promptly().await;
            }
        }
    }

    /// Refreshes as soon as another process tells of events, while anybody watches this one.
    ///
    /// # Errors
    /// The database cannot be listened to.
    pub async fn follow_others(&self) -> Result<(), StoreError> {
        let mut listener = self.store.listen_for_events().await?;
        loop {
            listener.heard().await?;
            if self.is_watched() {
                self.refresh_promptly().await;
            }
        }
    }

    async fn refresh_promptly(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "new events are told of later");
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn is_watched(&self) -> bool {
        self.head.receiver_count() > 0
    }
}
