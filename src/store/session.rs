//! What lies between this process and PostgreSQL, and what that allows.
//!
//! A pooler in transaction mode gives each transaction any of its server connections. One that does not follow prepared
//! statements then runs a statement of another client that has the same name, or none: the driver numbers them from one
//! in each connection. So before the first statement of all it is found out which pooler there is; without prepared
//! statements, each statement is sent unnamed and within a transaction, which keeps its server connection.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _, query};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError};
use tokio::sync::OnceCell;

use super::Profile;
use super::error::StoreError;
use crate::env::{Env as _, SystemEnv};

/// How long the first contact may take.
const CONTACT_LIMIT: Duration = Duration::from_secs(5);
/// Which of two connections runs each transaction of the probe: every pair, so that a pooler that takes its server
/// connections in turn is found out too.
const PROBES: [usize; 10] = [0, 0, 1, 1, 0, 1, 0, 1, 1, 0];

/// What is between this process and the database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// The connections are those of the server, or of a pooler that keeps one for each client.
    None,
    /// A pooler in transaction mode that follows prepared statements.
    Prepared,
    /// A pooler in transaction mode without prepared statements: they are not used.
    Unprepared,
}

impl Pooler {
    /// Its name in logs and at `/readyz`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Prepared => "transaction mode with prepared statements",
            Self::Unprepared => "transaction mode without prepared statements",
        }
    }
}

/// How statements are sent.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Where PostgreSQL is; None: SQLite.
    server: Option<PgConnectOptions>,
    profile: Profile,
    contacted: OnceCell<()>,
    pooler: AtomicU8,
}

impl Session {
    pub(super) fn of_server(options: PgConnectOptions, profile: Profile) -> Self {
        Self { server: Some(options), profile, ..Self::default() }
    }

    pub(super) fn profile(&self) -> Profile {
        self.profile
    }

    /// Finds out what is between, at the first call that succeeds. Not of a distributed database: what this asks for is
    /// PostgreSQL's own.
    pub(super) async fn contact(&self) -> Result<(), DbErr> {
        let Some(server) = self.server.as_ref().filter(|_| self.profile == Profile::Standard) else { return Ok(()) };
        if self.contacted.initialized() {
            return Ok(());
        }
        let probe = || async {
            self.found(probe(server).await.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?);
            Ok(())
        };
        // With the wait for those that try it already.
        match tokio::time::timeout(CONTACT_LIMIT, self.contacted.get_or_try_init(probe)).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        }
    }

    fn found(&self, pooler: Pooler) {
        match pooler {
            Pooler::None => {}
            Pooler::Prepared => tracing::info!("the database is behind a pooler in transaction mode"),
            Pooler::Unprepared => tracing::warn!(
                "the database is behind a pooler in transaction mode without prepared statements: each statement takes a \
                 transaction of its own and is parsed each time; PgBouncer 1.21 and newer: set max_prepared_statements"
            ),
        }
        self.pooler.store(pooler as u8, Ordering::Relaxed);
    }

    pub(super) fn pooler(&self) -> Pooler {
        match self.pooler.load(Ordering::Relaxed) {
            1 => Pooler::Prepared,
            2 => Pooler::Unprepared,
            _ => Pooler::None,
        }
    }

    /// Whether statements may have names.
    pub(super) fn is_prepared(&self) -> bool {
        self.pooler() != Pooler::Unprepared
    }

    /// Takes note of a failure: one that shows that the pooler has stopped following prepared statements.
    pub(super) fn failed(&self, error: &SqlxError) {
        if is_name_trouble(error) && self.is_prepared() && self.server.is_some() {
            self.found(Pooler::Unprepared);
        }
    }
}

/// Whether a named statement was there already, or was not: the server connection is not the one that it was made on.
pub(super) fn is_name_trouble(error: &SqlxError) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("42P05" | "26000"))
}

async fn probe(server: &PgConnectOptions) -> Result<Pooler, SqlxError> {
    let server = server.clone().statement_cache_capacity(0).disable_statement_logging();
    let mut connections = [server.connect().await?, server.connect().await?];
    let is_shared = shares_servers(&mut connections).await?;
    if is_shared {
        let row = connections[0].fetch_one("SELECT current_setting('statement_timeout')").await?;
        if row.try_get_unchecked::<String, _>(0)? == "0" {
            tracing::warn!(
                "no statement timeout: behind a pooler in transaction mode the service cannot set it; set \
                 statement_timeout, lock_timeout, idle_in_transaction_session_timeout and \
                 client_connection_check_interval on the role"
            );
        }
    }
    let pooler = match is_shared {
        false => Pooler::None,
        true if follows_prepared(&mut connections[0]).await? => Pooler::Prepared,
        true => Pooler::Unprepared,
    };
    for connection in connections {
        // It was only a question; how the connection ends changes nothing.
        let _ = connection.close().await;
    }
    Ok(pooler)
}

/// Whether a connection is served by different processes of the server, or two by the same one.
async fn shares_servers(connections: &mut [PgConnection; 2]) -> Result<bool, SqlxError> {
    let mut served: [Option<i32>; 2] = [None; 2];
    for which in PROBES {
        let row = connections[which].fetch_one("SELECT pg_backend_pid()").await?;
        let process = Some(row.try_get_unchecked::<i32, _>(0)?);
        if served[1 - which] == process || served[which].is_some_and(|before| Some(before) != process) {
            return Ok(true);
        }
        served[which] = process;
    }
    Ok(false)
}

/// Whether the pooler gives prepared statements names of its own. In a transaction, which is at one server connection.
async fn follows_prepared(connection: &mut PgConnection) -> Result<bool, SqlxError> {
    let mut tag = [0; 16];
    SystemEnv::default().fill_random(&mut tag);
    let sql = format!(
        "/* {} */ SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'sqlx\\_s\\_%' AND statement LIKE $1",
        hex::encode(tag)
    );
    connection.execute("BEGIN").await?;
    let named = query(AssertSqlSafe(sql)).bind(format!("/* {} */%", hex::encode(tag)));
    let outcome = named.fetch_one(&mut *connection).await;
    if matches!(&outcome, Err(error) if is_name_trouble(error)) {
        connection.execute("ROLLBACK").await?;
        return Ok(false);
    }
    let is_followed = outcome?.try_get::<i64, _>(0)? == 0;
    if !is_followed {
        // Nothing is left for the next one that is given this server connection.
        connection.execute("DEALLOCATE ALL").await?;
    }
    connection.execute("ROLLBACK").await?;
    Ok(is_followed)
}

impl super::Store {
    /// What is between this process and the database server.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    pub async fn pooler(&self) -> Result<Pooler, StoreError> {
        self.connections.meter.session.contact().await?;
        Ok(self.known_pooler())
    }

    /// The same as far as it is known: none before the first contact.
    #[must_use]
    pub fn known_pooler(&self) -> Pooler {
        self.connections.meter.session.pooler()
    }
}
