//! The database: the only place that knows sea-orm and the entities.
//!
//! Every read of a client's data names the client; an unknown row and another client's row are both `None`. Times come
//! in cut to microseconds (`Ambient::now`), so that what is read equals what was written on both engines.

mod batch;
mod clients;
mod connect;
mod error;
mod events;
mod keys;
mod measure;
mod queue;
mod queues;
mod reviews;
mod schema;
mod sweeps;
mod updates;
mod users;
mod verification;
mod webhooks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sea_orm::{DatabaseConnection, DatabaseTransaction};
use tokio::sync::Notify;

pub use clients::{ApiKeyOwner, ClientRecord, CredentialRecord};
pub use error::{Cause, StoreError, in_time};
pub use events::{EventFilter, EventListener, EventRecord};
pub use keys::SigningKeyRecord;
pub use queues::QueueState;
pub use reviews::{ReviewPage, ReviewRecord, ReviewStepRecord, ReviewView, Reviewed};
pub use updates::{Update, UserUpdate, VerificationChange};
pub use users::{
    Claim, ClaimScope, Creation, FIRST_VERSION, NewClaim, NewDocument, NewEvent, NewUser, NewVerification, UserRecord,
};
pub use verification::{AttemptRecord, ClaimedVerification, Found, ProviderAnswer, Settlement, Start};
pub use webhooks::{
    Alteration, AttemptReport, ClaimRoom, ClaimedDelivery, DEAD, DELIVERED, DeliveryPage, DeliveryRecord,
    DeliverySettlement, EndpointChange, EndpointRecord, Health as EndpointHealth, NewDelivery, NewEndpoint,
    OutboxEvent, PENDING, Pruned, Registration, Replay, Sent, Settled,
};

use batch::{Batch, Writer};
use connect::{Pools, Renewal, SharedPools};
use error::WriteError;

use crate::telemetry::Metrics;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file beside the process.
    Sqlite,
    /// A server.
    Postgres,
}

/// How the database is used; the defaults fit one replica.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// PostgreSQL: connections of this process at most.
    pub max_connections: u32,
    /// SQLite: connections that read; one more writes.
    pub sqlite_readers: u32,
    /// How long a call waits for a free connection before it answers "unavailable".
    pub acquire_timeout: Duration,
    /// SQLite: how long a write waits for another process that holds the file.
    pub busy_timeout: Duration,
    /// Measures statements and connections.
    pub metrics: Metrics,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_connections: 16,
            sqlite_readers: 4,
            acquire_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
            metrics: Metrics::default(),
        }
    }
}

/// A handle to the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    connections: Arc<Connections>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

struct Connections {
    engine: Engine,
    pools: SharedPools,
    /// What makes a pool of PostgreSQL's anew.
    renewal: Option<Renewal>,
    /// Statements that the database has answered.
    answered: Arc<AtomicU64>,
    /// SQLite's one writer.
    writer: Option<Writer>,
    /// Told when this process has written events: whoever gives them their place.
    events: Notify,
    /// Told when this process has written something to send: whoever sends it.
    deliveries: Notify,
}

impl Store {
    /// Opens `sqlite://path` (made if it is missing, with its folder) or `postgres://…`.
    ///
    /// Parameters of the URL are the driver's. PostgreSQL is contacted at the first call, not here, so that a service
    /// may start before its database.
    ///
    /// Behind PgBouncer in transaction mode: version 1.21 or newer with `max_prepared_statements` above 0, and the
    /// driver's statement cache left on. With `statement-cache-capacity=0` the driver gives every statement a new name
    /// and never closes it, which an older pooler cannot follow and which costs the server memory.
    ///
    /// # Errors
    /// `Configuration` for a URL that cannot be used, `Unavailable` for a file that cannot be opened.
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        Ok(Self { connections: Arc::new(connect::connect(url, &options).await?) })
    }

    /// Which database this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.connections.engine
    }

    /// Its name in traces.
    fn system(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgresql",
        }
    }

    /// Asks the database for a sign of life. The driver answers a ping of SQLite by itself, so the write lock is taken
    /// there and given back: a file that is held by another process, or was moved away, takes no users.
    ///
    /// # Errors
    /// `Unavailable` without one.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self.engine() {
            Engine::Sqlite => self.begin().await?.rollback().await?,
            Engine::Postgres => self.read().ping().await?,
        }
        Ok(())
    }

    /// Finishes the writes that are queued and closes the connections; other clones answer "unavailable" from now on.
    pub async fn close(self) {
        if let Some(writer) = &self.connections.writer {
            writer.close().await;
        }
        // Closing a pool cannot fail; the signature is that of all drivers.
        let Pools { read, write } = self.pools();
        let _ = read.close_by_ref().await;
        let _ = write.close_by_ref().await;
    }

    /// Waits until this process has something to send: events, or deliveries that are to be sent again; or had since the
    /// last wait. What other processes write is not told: whoever must see everything polls besides. For one waiter.
    pub async fn deliveries_wanted(&self) {
        self.connections.deliveries.notified().await;
    }

    /// Tells whoever waits in `deliveries_wanted`.
    fn want_deliveries(&self) {
        self.connections.deliveries.notify_one();
    }

    /// How many statements the database has answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.connections.answered.load(Ordering::Relaxed)
    }

    /// Replaces the connections of PostgreSQL's pool, if the database answers a new one. When a database vanishes without
    /// a word, as at a failover, the driver waits for its old connections until the system gives them up, which takes a
    /// quarter of an hour.
    ///
    /// # Errors
    /// `Unavailable` where the database does not answer a new connection, either; then all stays as it is.
    pub async fn renew(&self) -> Result<(), StoreError> {
        let Some(renewal) = &self.connections.renewal else { return Ok(()) };
        let pool = renewal.pool(&self.connections.answered).await?;
        pool.ping().await?;
        // The old one is not closed: that would wait for the very connections. What still uses it fails by itself.
        *self.connections.pools.write().unwrap_or_else(PoisonError::into_inner) =
            Pools { read: pool.clone(), write: pool };
        Ok(())
    }

    fn pools(&self) -> Pools {
        self.connections.pools.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For reads that must see every committed write: on PostgreSQL the primary.
    fn read(&self) -> DatabaseConnection {
        self.pools().read
    }

    fn write(&self) -> DatabaseConnection {
        self.pools().write
    }

    /// A transaction that reads and then writes; dropping it undoes it.
    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        Ok(batch::begin(&self.write()).await?)
    }

    /// Writes all rows of a change in one round trip.
    async fn write_batch(&self, batch: Batch) -> Result<(), WriteError> {
        batch::write(&self.write(), self.connections.writer.as_ref(), batch).await
    }
}
