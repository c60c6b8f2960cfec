//! The database: the only place that knows sea-orm and the entities.
//!
//! Every read of a client's data names the client; an unknown row and another client's row are both `None`. Times come
//! in cut to microseconds (`Env::now`), so that what is read equals what was written on both engines.

mod archives;
mod batch;
mod claims;
mod clients;
mod connect;
mod connection;
mod erasures;
mod error;
mod events;
mod export;
mod history;
mod holds;
mod index_rebuild;
mod keys;
mod maintenance;
mod measure;
mod partitions;
mod profile;
mod queue;
mod queues;
mod rates;
mod reachable;
mod replica;
mod reviews;
mod rewrap;
mod rows;
mod schema;
mod session;
mod shares;
mod sinks;
mod transaction;
mod updates;
mod user_counts;
mod user_index;
mod user_lists;
mod users;
mod verification;
mod webhooks;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use tokio::sync::Notify;

pub use archives::{ArchiveHead, ArchiveSegment};
pub use claims::{ClientClaim, Once};
pub use clients::{ApiKeyOwner, ClientRecord, CredentialRecord};
pub use erasures::{Certificate, Deleted, Erased, ErasedUser, Erasure};
pub use error::{Cause, StoreError, with_step_timeout};
pub use events::{EventFilter, EventListener, EventRecord};
pub use history::HistoryRecord;
pub use holds::{HoldRecord, Placed, Released};
pub use index_rebuild::IndexPass;
pub use keys::SigningKeyRecord;
pub use partitions::Partitions;
pub use profile::Profile;
pub use queues::{FailingEndpoints, QueueState};
pub use reachable::ConnectFailure;
pub use replica::ReplicaState;
pub use reviews::{ReviewPage, ReviewRecord, ReviewStepRecord, ReviewView, Reviewed};
pub use rewrap::{Resealed, SealedColumn, SealedRow, SealedValue};
pub use rows::MOST_COUNTED;
pub use session::Pooler;
pub use sinks::{DeadLetter, SinkEvent, SinkStart, SinkState};
pub use updates::{Update, UserUpdate, VerificationChange};
pub use user_index::{INDEX_VERSION, IdRange, IndexChange, NewEntries};
pub use user_lists::{UserFilter, first_id_at};
pub use users::{
    Creation, FINGERPRINT_BYTES, FIRST_VERSION, IdempotencyRecord, IdempotencyScope, NewClaim, NewDocument, NewEvent,
    NewUser, NewVerification, UserRecord,
};
pub use verification::{AttemptRecord, ClaimedVerification, JobResult, ProviderAnswer, Start, VerificationResult};
pub use webhooks::{
    Admission as WebhookAdmission, Alteration, AttemptReport, Candidate, ClaimedDelivery, DeliveryOutcome,
    DeliveryPage, DeliveryPlace, DeliveryRecord, DeliverySettlement, DeliveryState, DisabledReason, EndpointChange,
    EndpointRecord, FailurePolicy, NewDelivery, NewEndpoint, NewReplay, Pruned, Registration, RelayedEvent, Replay,
    ReplayRecord, ReplayState, SameUrl, Settled,
};

use batch::{Batch, Writer};
use connect::{Pools, Renewal, SharedPools};
use error::WriteError;
use measure::Meter;
use replica::Replica;
use transaction::{Statements, Transaction, in_transaction};

use crate::telemetry::Metrics;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file beside the process.
    Sqlite,
    /// A server.
    Postgres,
}

/// Where to listen for the notifications of other processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// At the URL of the database.
    #[default]
    Database,
    /// At another URL of the same database, which leads past a pooler.
    Url(String),
    /// Nowhere: readers poll.
    Off,
}

/// Is called with each statement and its values before it runs.
#[derive(Clone)]
pub struct StatementObserver(pub Arc<dyn Fn(&sea_orm::Statement) + Send + Sync>);

impl std::fmt::Debug for StatementObserver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StatementObserver").finish_non_exhaustive()
    }
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
    /// PostgreSQL: how long a statement of a request may take.
    pub statement_timeout: Duration,
    /// PostgreSQL: where to listen for the notifications of other processes.
    pub listen: Listen,
    /// PostgreSQL: which of its features statements may use.
    pub profile: Profile,
    /// PostgreSQL: the URL of a read replica for lists.
    pub replica: Option<String>,
    /// Called with each statement before it runs: for tests that read plans.
    pub statement_observer: Option<StatementObserver>,
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
            statement_timeout: Duration::from_secs(30),
            listen: Listen::Database,
            profile: Profile::Standard,
            replica: None,
            statement_observer: None,
            metrics: Metrics::default(),
        }
    }
}

/// A handle to the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    connections: Arc<Connections>,
    /// Whether it uses the connections of background jobs.
    is_background: bool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

struct Connections {
    engine: Engine,
    pools: SharedPools,
    /// What makes the pools of PostgreSQL again.
    renewal: Option<Renewal>,
    /// Where SQLite's file lies.
    folder: Option<PathBuf>,
    /// Measures statements.
    meter: Arc<Meter>,
    /// SQLite's one writer.
    writer: Option<Writer>,
    /// PostgreSQL: where to listen.
    listen: Listen,
    /// PostgreSQL: where lists are read.
    replica: Option<Arc<Replica>>,
    /// Notified when this process has written events: they get their positions.
    events: Notify,
    /// Notified when this process has written something to send.
    deliveries: Notify,
}

impl Store {
    /// Opens `sqlite://path` (made if it is missing, with its folder) or `postgres://…`.
    ///
    /// Parameters of the URL are the driver's. PostgreSQL is contacted at the first call, not here, so that a service
    /// may start before its database.
    ///
    /// A pooler in transaction mode is found out at the first call, see [`Pooler`]. Behind one, `listen` must be at a URL
    /// past it or off.
    ///
    /// # Errors
    /// `Configuration` for a URL that cannot be used, `Unavailable` for a file that cannot be opened.
    pub async fn connect(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        Ok(Self { connections: Arc::new(connect::connect(url, &options).await?), is_background: false })
    }

    /// The same database for background jobs: on PostgreSQL with connections of their own, so that neither they nor
    /// requests wait for the other, and a statement timeout that fits jobs.
    #[must_use]
    pub fn background(&self) -> Self {
        Self { is_background: true, ..self.clone() }
    }

    /// Which database this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.connections.engine
    }

    /// Which features of PostgreSQL statements may use.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.connections.meter.session.profile()
    }

    /// Whether the tables that grow without end are partitioned: on PostgreSQL, not in the distributed profile.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.engine() == Engine::Postgres && self.profile() == Profile::Standard
    }

    /// The folder of SQLite's file.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.connections.folder.as_deref()
    }

    /// Its name in traces.
    fn system(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgresql",
        }
    }

    /// Pings the database. The driver answers a ping of SQLite by itself, so there the write lock is taken and released: a
    /// file that another process holds, or that was moved away, fails. Whether its disk accepts writes is not checked, see
    /// [`Store::write_obstacle`].
    ///
    /// # Errors
    /// `Unavailable` without an answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self.engine() {
            Engine::Sqlite => in_transaction!(self, |_transaction| Ok::<_, StoreError>(())),
            Engine::Postgres => {
                self.connections.meter.session.contact().await?;
                Ok(self.pools().read.ping().await?)
            }
        }
    }

    /// Finishes the writes that are queued and closes the connections; other clones answer "unavailable" from now on.
    pub async fn close(self) {
        if let Some(writer) = &self.connections.writer {
            writer.close().await;
        }
        // Closing a pool cannot fail; the signature is that of all drivers.
        let replica = self.connections.replica.as_ref().map(|replica| replica.pool());
        let Pools { read, write, background } = Self { is_background: false, ..self }.pools();
        for pool in [Some(read), Some(write), background, replica].into_iter().flatten() {
            let _ = pool.close_by_ref().await;
        }
    }

    /// Waits until this process has something to send: events, or deliveries to send again; or had since the last wait.
    /// Writes of other processes do not notify, so the waiter must poll besides. For one waiter.
    pub async fn deliveries_wanted(&self) {
        self.connections.deliveries.notified().await;
    }

    /// Notifies the waiter in `deliveries_wanted`.
    fn want_deliveries(&self) {
        self.connections.deliveries.notify_one();
    }

    /// Refreshes the statistics that SQLite plans by, where they are outdated. PostgreSQL does that itself.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn optimize(&self) -> Result<(), StoreError> {
        if self.engine() == Engine::Sqlite {
            self.pools().write.execute_unprepared("PRAGMA optimize=0x10002").await?;
        }
        Ok(())
    }

    /// How many statements the database has answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.connections.meter.answered()
    }

    /// Replaces the connections of PostgreSQL's pools, if the database answers a new one. At a failover connections may be
    /// half-open: the driver waits for them until the system times out, which takes a quarter of an hour.
    ///
    /// # Errors
    /// `Unavailable` where the database does not answer a new connection, either; then all stays as it is.
    pub async fn renew(&self) -> Result<(), StoreError> {
        let Some(renewal) = &self.connections.renewal else { return Ok(()) };
        let pools = renewal.pools().await?;
        pools.read.ping().await?;
        // The old ones are not closed: that would wait for the very connections. Statements on them fail by themselves.
        *self.connections.pools.write().unwrap_or_else(PoisonError::into_inner) = pools;
        Ok(())
    }

    fn pools(&self) -> Pools {
        let mut pools = self.connections.pools.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(background) = pools.background.clone().filter(|_| self.is_background) {
            (pools.read, pools.write) = (background.clone(), background);
        }
        pools
    }

    /// For reads that must see every committed write: on PostgreSQL the primary.
    fn read(&self) -> Statements {
        Statements::implicit(self.pools().read, Arc::clone(&self.connections.meter))
    }

    /// For writes of one statement.
    fn write(&self) -> Statements {
        let (pool, meter) = (self.pools().write, Arc::clone(&self.connections.meter));
        match self.engine() {
            Engine::Sqlite => Statements::explicit(pool, meter),
            Engine::Postgres => Statements::implicit(pool, meter),
        }
    }

    /// Writes all rows of a change in one round trip.
    async fn write_batch(&self, batch: Batch) -> Result<(), WriteError> {
        match &self.connections.writer {
            None => batch.write(&self.write()).await,
            Some(writer) => batch.queue(writer).await,
        }
    }
}
