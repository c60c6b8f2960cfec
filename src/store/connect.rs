//! Opening the database: one writer and several readers on a SQLite file, one pool on PostgreSQL.

use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use tokio::sync::Notify;

use super::error::{StoreError, classify};
use super::{Connections, Engine, StoreOptions, batch, measure};
use crate::telemetry::Metrics;

/// A PostgreSQL connection that lay idle this long is pinged before it is used. One in steady use is not: the ping
/// would double the round trips. After a restart of the server each such connection costs one answer "unavailable".
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);

/// The pools in use.
#[derive(Clone)]
pub(super) struct Pools {
    pub(super) read: DatabaseConnection,
    pub(super) write: DatabaseConnection,
}

/// The pools in use, which may be replaced.
pub(super) type SharedPools = Arc<RwLock<Pools>>;

/// What makes a pool of PostgreSQL's.
pub(super) struct Renewal {
    connect: ConnectOptions,
    metrics: Metrics,
}

impl Renewal {
    /// A pool without a connection yet.
    pub(super) async fn pool(&self, answered: &Arc<AtomicU64>) -> Result<DatabaseConnection, StoreError> {
        let mut pool = Database::connect(self.connect.clone()).await?;
        measure::statements(&mut pool, &self.metrics, answered);
        Ok(pool)
    }
}

/// Opens what `url` names. A SQLite file is made if it is missing, with its folder; PostgreSQL is not contacted yet.
pub(super) async fn connect(url: &str, options: &StoreOptions) -> Result<Connections, StoreError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => sqlite(url, options).await,
        Some("postgres" | "postgresql") => postgres(url, options).await,
        _ => Err(StoreError::Configuration("the database URL must begin with sqlite:// or postgres://".to_owned())),
    }
}

async fn sqlite(url: &str, options: &StoreOptions) -> Result<Connections, StoreError> {
    let file = SqliteConnectOptions::from_str(url).map_err(|error| classify(&error))?;
    if is_in_memory(url) {
        return Err(StoreError::Configuration("SQLite in memory is not supported: name a file".to_owned()));
    }
    if let Some(folder) = file.get_filename().parent() {
        create_folder(folder).map_err(|error| classify(&error.into()))?;
    }
    let file = file
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        // An acknowledged create survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    // The writer makes the file and switches it to the write-ahead log, which lasts; the readers find it so.
    let mut write = pool(url, 1, options, file.clone().journal_mode(SqliteJournalMode::Wal)).await?;
    let mut read = pool(url, options.sqlite_readers, options, file.pragma("query_only", "ON")).await?;
    let answered = Arc::default();
    measure::statements(&mut write, &options.metrics, &answered);
    measure::statements(&mut read, &options.metrics, &answered);
    let writer = Some(batch::start_writer(write.clone()));
    let pools = Arc::new(RwLock::new(Pools { read, write }));
    measure::sqlite_connections(&pools, &options.metrics);
    Ok(Connections {
        engine: Engine::Sqlite,
        pools,
        renewal: None,
        answered,
        writer,
        events: Notify::new(),
        deliveries: Notify::new(),
    })
}

/// Each connection would have a database of its own.
fn is_in_memory(url: &str) -> bool {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = path.trim_start_matches("sqlite:").trim_start_matches("//");
    let by_mode = url::form_urlencoded::parse(query.as_bytes()).any(|pair| pair == ("mode".into(), "memory".into()));
    path.is_empty() || path == ":memory:" || by_mode
}

/// The folder of the database file, for its owner only.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if folder.as_os_str().is_empty() { Ok(()) } else { builder.recursive(true).create(folder) }
}

async fn pool(
    url: &str,
    connections: u32,
    options: &StoreOptions,
    file: SqliteConnectOptions,
) -> Result<DatabaseConnection, StoreError> {
    let mut connect = quiet(url, options);
    connect
        .max_connections(connections)
        .map_sqlx_sqlite_opts(move |_| file.clone())
        // A connection to a file neither breaks by itself nor holds anything that would be worth giving back.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None);
    Ok(Database::connect(connect).await?)
}

async fn postgres(url: &str, options: &StoreOptions) -> Result<Connections, StoreError> {
    // The mapper's own answer to a URL that cannot be read is to quote it, password and all.
    PgConnectOptions::from_str(url).map_err(|error| classify(&error))?;
    let mut connect = quiet(url, options);
    connect
        .max_connections(options.max_connections)
        .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
        .connect_lazy(true);
    let renewal = Renewal { connect, metrics: options.metrics.clone() };
    let answered = Arc::default();
    let pool = renewal.pool(&answered).await?;
    let pools = Arc::new(RwLock::new(Pools { read: pool.clone(), write: pool }));
    measure::postgres_connections(&pools, &options.metrics);
    Ok(Connections {
        engine: Engine::Postgres,
        pools,
        renewal: Some(renewal),
        answered,
        writer: None,
        events: Notify::new(),
        deliveries: Notify::new(),
    })
}

/// Options under which no statement is logged or put into a trace.
fn quiet(url: &str, options: &StoreOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(url);
    connect.acquire_timeout(options.acquire_timeout).sqlx_logging(false).record_stmt_in_spans(false);
    connect
}
