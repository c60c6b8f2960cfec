//! One connection of a pool, owned for as long as its state matters.
//!
//! The object mapper keeps the connection of a transaction to itself, and the driver counts transactions by what it has
//! sent, not by what the database did: SQLite rolls a transaction back by itself when a commit or a write fails, the
//! driver's ROLLBACK then fails, its count stays at one, and every later transaction is a savepoint that is never
//! committed. So transactions are begun and ended here in plain SQL, and a connection goes back to its pool only when
//! the database has confirmed that none is open.

use std::time::Duration;

use sea_orm::sea_query::Values;
use sea_orm::sqlx::database::HasStatementCache;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{
    AssertSqlSafe, Connection as _, Database, Executor as _, IntoArguments, Postgres, Sqlite, query_with,
};
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement,
};
use sea_query_sqlx::SqlxValues;

use super::Profile;
use super::session::Session;

/// How long a rollback, and the statement before it, may take before the connection is closed instead.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(5);
/// The same on PostgreSQL, where closing the connection cancels the statement.
const POSTGRES_ROLLBACK_LIMIT: Duration = Duration::from_millis(250);

/// A connection that is out of its pool.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// What a statement is run for.
pub(super) trait Shape {
    /// What it gives.
    type Answer: Send;

    /// Runs it. Without prepared statements it has no name at the server, and must be within a transaction.
    fn run(
        connection: &mut Connection,
        statement: &Statement,
        is_prepared: bool,
    ) -> impl Future<Output = Result<Self::Answer, SqlxError>> + Send;

    /// The mapper's error.
    fn error(error: SqlxError) -> DbErr {
        DbErr::Query(RuntimeErr::SqlxError(error.into()))
    }
}

/// For its effect.
pub(super) struct Execute;
/// For its first row.
pub(super) struct First;
/// For all of its rows.
pub(super) struct All;

impl Shape for Execute {
    type Answer = ExecResult;

    async fn run(
        connection: &mut Connection,
        statement: &Statement,
        is_prepared: bool,
    ) -> Result<ExecResult, SqlxError> {
        match connection {
            Connection::Sqlite(connection) => {
                Ok(bound(statement, is_prepared).execute(&mut **connection).await?.into())
            }
            Connection::Postgres(connection) => {
                Ok(bound(statement, is_prepared).execute(&mut **connection).await?.into())
            }
        }
    }

    fn error(error: SqlxError) -> DbErr {
        DbErr::Exec(RuntimeErr::SqlxError(error.into()))
    }
}

impl Shape for First {
    type Answer = Option<QueryResult>;

    async fn run(
        connection: &mut Connection,
        statement: &Statement,
        is_prepared: bool,
    ) -> Result<Option<QueryResult>, SqlxError> {
        match connection {
            Connection::Sqlite(connection) => {
                Ok(bound(statement, is_prepared).fetch_optional(&mut **connection).await?.map(Into::into))
            }
            Connection::Postgres(connection) => {
                Ok(bound(statement, is_prepared).fetch_optional(&mut **connection).await?.map(Into::into))
            }
        }
    }
}

impl Shape for All {
    type Answer = Vec<QueryResult>;

    async fn run(
        connection: &mut Connection,
        statement: &Statement,
        is_prepared: bool,
    ) -> Result<Vec<QueryResult>, SqlxError> {
        match connection {
            Connection::Sqlite(connection) => Ok(bound(statement, is_prepared)
                .fetch_all(&mut **connection)
                .await?
                .into_iter()
                .map(Into::into)
                .collect()),
            Connection::Postgres(connection) => Ok(bound(statement, is_prepared)
                .fetch_all(&mut **connection)
                .await?
                .into_iter()
                .map(Into::into)
                .collect()),
        }
    }
}

/// A statement with its values, as the mapper binds them.
fn bound<'q, DB>(statement: &'q Statement, is_prepared: bool) -> Query<'q, DB, SqlxValues>
where
    DB: Database + HasStatementCache,
    SqlxValues: IntoArguments<DB>,
{
    let values = statement.values.clone().unwrap_or(Values(Vec::new()));
    query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values)).persistent(is_prepared)
}

impl Connection {
    /// Waits for a connection of the pool.
    pub(super) async fn acquire(pool: &DatabaseConnection, session: &Session) -> Result<Self, DbErr> {
        session.contact().await?;
        let acquired = match pool.get_database_backend() {
            DbBackend::Sqlite => pool.get_sqlite_connection_pool().acquire().await.map(Self::Sqlite),
            _ => pool.get_postgres_connection_pool().acquire().await.map(Self::Postgres),
        };
        let mut connection = acquired.map_err(|error| match error {
            SqlxError::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            SqlxError::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        })?;
        if !session.is_prepared()
            && let Self::Postgres(connection) = &mut connection
            && connection.cached_statements_size() > 0
        {
            // The driver would use their names.
            connection.clear_cached_statements().await.map_err(Execute::error)?;
        }
        Ok(connection)
    }

    /// Runs a text without values, unprepared.
    pub(super) async fn script(&mut self, sql: &str) -> Result<ExecResult, SqlxError> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => Ok(connection.execute(sql).await?.into()),
            Self::Postgres(connection) => Ok(connection.execute(sql).await?.into()),
        }
    }

    /// Begins a transaction that may read and then write. The level is the one that the code is written for, whatever
    /// the database's default. SQLite takes the write lock at once: taking it later fails when another writer came
    /// between.
    pub(super) async fn begin(&mut self, profile: Profile) -> Result<(), SqlxError> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => profile.begin(),
        };
        self.script(begin).await.map(drop)
    }

    /// Rolls back; the connection returns to its pool only if the database confirms it.
    pub(super) async fn roll_back(mut self) {
        let limit = match self {
            Self::Sqlite(_) => ROLLBACK_LIMIT,
            Self::Postgres(_) => POSTGRES_ROLLBACK_LIMIT,
        };
        if !matches!(tokio::time::timeout(limit, self.script("ROLLBACK")).await, Ok(Ok(_))) {
            self.close();
        }
    }

    /// Closes the connection, which ends what is open on it. Its place in the pool is free once it is closed.
    pub(super) fn close(mut self) {
        match &mut self {
            Self::Sqlite(connection) => connection.close_on_drop(),
            Self::Postgres(connection) => connection.close_on_drop(),
        }
    }

    /// Takes the connection out of its pool and lets go of it, where no runtime is left that could do more.
    pub(super) fn detach(self) {
        match self {
            Self::Sqlite(connection) => drop(connection.detach()),
            Self::Postgres(connection) => drop(connection.detach()),
        }
    }
}
