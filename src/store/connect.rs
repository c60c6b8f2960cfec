//! Opening the database: one writer and several readers on a SQLite file, one pool on PostgreSQL.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, SqlxError};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::{StoreError, classify};
use super::measure::Meter;
use super::replica::Replica;
use super::session::Session;
use super::transaction::refuse_unfinished;
use super::{Connections, Engine, Listen, Pooler, Profile, StoreOptions, batch, measure};

/// How long the opening of a busy SQLite file waits before it tries again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A PostgreSQL connection that lay idle this long is pinged before it is used. One in steady use is not: the ping
/// would double the round trips. After a restart of the server each such connection costs one answer "unavailable".
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);

/// How long a statement of a background job may take: as long as one step of the job.
const BACKGROUND_STATEMENT: Duration = Duration::from_secs(30);
/// How long a statement waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transaction may be idle; its connection then is that of a process that is gone.
const IDLE_TRANSACTION: Duration = Duration::from_secs(60);
/// How often the server checks during a statement whether its client is connected, in milliseconds. A request that is
/// dropped closes its connection, so that this cancels its statement.
const CONNECTION_CHECK: u32 = 1_000;

/// The pools in use.
#[derive(Clone)]
pub(super) struct Pools {
    pub(super) read: DatabaseConnection,
    pub(super) write: DatabaseConnection,
    /// PostgreSQL: the connections of background jobs.
    pub(super) background: Option<DatabaseConnection>,
}

/// The pools in use, which may be replaced.
pub(super) type SharedPools = Arc<RwLock<Pools>>;

/// What makes the pools of PostgreSQL.
pub(super) struct Renewal {
    requests: ConnectOptions,
    background: Option<ConnectOptions>,
    meter: Arc<Meter>,
}

impl Renewal {
    /// Where the database is, password included.
    pub(super) fn url(&self) -> &str {
        self.requests.get_url()
    }

    /// Pools without a connection yet.
    pub(super) async fn pools(&self) -> Result<Pools, StoreError> {
        let pool = self.pool(&self.requests).await?;
        let background = match &self.background {
            Some(options) => Some(self.pool(options).await?),
            None => None,
        };
        Ok(Pools { read: pool.clone(), write: pool, background })
    }

    /// A pool for the object mapper's own statements, which it names whatever the pooler: none of them is used twice.
    pub(super) async fn uncached_pool(&self) -> Result<DatabaseConnection, StoreError> {
        let mut options = self.requests.clone();
        options.max_connections(1).map_sqlx_postgres_opts(|server| server.statement_cache_capacity(0));
        self.pool(&options).await
    }

    async fn pool(&self, options: &ConnectOptions) -> Result<DatabaseConnection, StoreError> {
        let mut pool = Database::connect(options.clone()).await?;
        measure::statements(&mut pool, &self.meter);
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
    let folder = file.get_filename().parent().map(Path::to_owned);
    if let Some(folder) = &folder {
        create_folder(folder).map_err(|error| classify(&error.into()))?;
    }
    let file = file
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        // An acknowledged create survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .optimize_on_close(true, None)
        .disable_statement_logging();
    // What an erasure deletes is overwritten, not only unlinked: the wrapped key would outlive its user in free pages.
    let writing = file.clone().journal_mode(SqliteJournalMode::Wal).pragma("secure_delete", "ON");
    // The writer makes the file and switches it to the write-ahead log, which lasts; the readers find it so.
    let mut write = writer(url, options, writing).await?;
    let mut read = pool(url, options.sqlite_readers, options, file.pragma("query_only", "ON")).await?;
    let meter = Arc::new(Meter::new(options, options.sqlite_readers, Session::default()));
    measure::statements(&mut write, &meter);
    measure::statements(&mut read, &meter);
    let writer = Some(batch::start_writer(write.clone(), Arc::clone(&meter)));
    let pools = Arc::new(RwLock::new(Pools { read, write, background: None }));
    measure::sqlite_connections(&pools, &options.metrics);
    Ok(Connections {
        engine: Engine::Sqlite,
        pools,
        renewal: None,
        folder,
        meter,
        writer,
        listen: Listen::Off,
        replica: None,
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

/// Opens the writer. SQLite's busy timeout does not apply to the switch to the write-ahead log: of two processes that open
/// a new file at once one may be refused, and tries again.
async fn writer(
    url: &str,
    options: &StoreOptions,
    file: SqliteConnectOptions,
) -> Result<DatabaseConnection, StoreError> {
    let end = Instant::now() + options.busy_timeout;
    loop {
        match pool(url, 1, options, file.clone()).await {
            Err(error) if error.is_file_busy() && Instant::now() < end => tokio::time::sleep(BUSY_PAUSE).await,
            opened => return opened,
        }
    }
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
    let server = PgConnectOptions::from_str(url).map_err(|error| classify(&error))?;
    let session = Session::of_server(server, options.profile);
    // So that neither requests nor background jobs take all connections.
    let background = options.max_connections / 4;
    let meter = Arc::new(Meter::new(options, options.max_connections - background, session));
    let renewal = Renewal {
        requests: postgres_pool(url, options, options.max_connections - background, options.statement_timeout, &meter),
        background: (background > 0).then(|| postgres_pool(url, options, background, BACKGROUND_STATEMENT, &meter)),
        meter: Arc::clone(&meter),
    };
    let pools = Arc::new(RwLock::new(renewal.pools().await?));
    measure::postgres_connections(&pools, &options.metrics);
    Ok(Connections {
        engine: Engine::Postgres,
        pools,
        renewal: Some(renewal),
        folder: None,
        meter,
        writer: None,
        listen: options.listen.clone(),
        replica: replica(options).await?,
        events: Notify::new(),
        deliveries: Notify::new(),
    })
}

/// The replica that `options` names; as many connections as requests have to the primary.
async fn replica(options: &StoreOptions) -> Result<Option<Arc<Replica>>, StoreError> {
    let Some(url) = &options.replica else { return Ok(None) };
    let server = PgConnectOptions::from_str(url).map_err(|error| classify(&error))?;
    let session = Session::of_server(server, options.profile);
    let meter = Arc::new(Meter::new(options, options.max_connections, session));
    let pool = postgres_pool(url, options, options.max_connections, options.statement_timeout, &meter);
    Ok(Some(Arc::new(Replica::new(Database::connect(pool).await?, meter))))
}

fn postgres_pool(
    url: &str,
    options: &StoreOptions,
    connections: u32,
    statement_timeout: Duration,
    meter: &Arc<Meter>,
) -> ConnectOptions {
    let settings = format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET client_connection_check_interval = {CONNECTION_CHECK}",
        statement_timeout.as_millis(),
        LOCK_TIMEOUT.as_millis(),
        IDLE_TRANSACTION.as_millis(),
    );
    let meter = Arc::clone(meter);
    let mut connect = quiet(url, options);
    connect
        .max_connections(connections)
        .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
        .connect_lazy(true)
        .map_sqlx_postgres_pool_opts(move |pool| {
            let (settings, meter) = (settings.clone(), Arc::clone(&meter));
            pool.after_connect(move |connection, _| {
                let (settings, profile) = (settings.clone(), meter.session.profile());
                // Behind a pooler they would stay at one of its server connections, for every client that uses it.
                let is_shared = meter.session.pooler() != Pooler::None;
                Box::pin(async move {
                    match profile {
                        Profile::Standard if is_shared => Ok(()),
                        Profile::Standard => connection.execute(AssertSqlSafe(settings)).await.map(drop),
                        Profile::Distributed => set_what_is_known(connection, &settings).await,
                    }
                })
            })
        });
    connect
}

/// Sets what the database knows, and the isolation level: no distributed database knows all of it.
async fn set_what_is_known(connection: &mut PgConnection, settings: &str) -> Result<(), SqlxError> {
    let level = "SET default_transaction_isolation = 'serializable'";
    for setting in settings.split("; ").chain([level]) {
        match connection.execute(AssertSqlSafe(setting.to_owned())).await {
            Err(SqlxError::Database(error)) => tracing::debug!(setting, %error, "the database does not know a setting"),
            outcome => outcome.map(drop)?,
        }
    }
    Ok(())
}

/// Options under which no statement is logged or put into a trace.
fn quiet(url: &str, options: &StoreOptions) -> ConnectOptions {
    let mut connect = ConnectOptions::new(url);
    connect.acquire_timeout(options.acquire_timeout).sqlx_logging(false).record_stmt_in_spans(false);
    refuse_unfinished(&mut connect);
    connect
}
