//! How watchers are notified of new events: promptly by this process's writes and PostgreSQL's notifications of other
//! processes, and in any case by polling.

use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Engine, Profile, Store, StoreError};

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

    /// Notified whenever there may be new events; the position of the last one comes with it.
    pub(super) fn subscribe(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Gives positions to the events that have none, and notifies the watchers of new ones from any process.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.store.assign_positions().await?;
        self.show().await
    }

    /// Notifies the watchers of the last position, if it is new to them.
    async fn show(&self) -> Result<(), StoreError> {
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

    /// Refreshes as soon as this process has written events, while there may be watchers: on SQLite those of this
    /// process, on PostgreSQL perhaps others. It ends when dropped.
    pub async fn follow_own(&self) {
        loop {
            self.store.events_written().await;
            // A distributed database suffers from a row that many processes write: they do so once a second.
            if self.store.profile() == Profile::Distributed {
                continue;
            }
            if self.is_watched() || self.store.engine() == Engine::Postgres {
                self.promptly(self.refresh()).await;
            }
        }
    }

    /// Refreshes as soon as another process notifies of events, while this one has watchers.
    ///
    /// # Errors
    /// The database cannot be listened to.
    pub async fn follow_others(&self) -> Result<(), StoreError> {
        let mut listener = self.store.listen_for_events().await?;
        loop {
            listener.notified().await?;
            // The process that notifies has assigned the positions: reading them takes no lock.
            self.promptly(self.show()).await;
        }
    }

    async fn promptly(&self, step: impl Future<Output = Result<(), StoreError>>) {
        if let Err(error) = step.await {
            tracing::warn!(%error, "refreshing events failed; the next round retries");
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn is_watched(&self) -> bool {
        self.head.receiver_count() > 0
    }
}
