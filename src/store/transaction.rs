//! The one place through which work with the database begins and ends: transactions, and single statements.
//!
//! Work runs as a whole or not at all, at the isolation level that the code is written for, and again when the database
//! asks for that (a serialization failure, a deadlock): then nothing was done. After any other failure nothing is
//! assumed about the connection, see `connection`. A commit whose outcome is unknown, because the connection broke, is
//! reported as unavailable and not repeated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::entity::prelude::async_trait::async_trait;
use sea_orm::sqlx::Connection as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    IsolationLevel, QueryResult, SqliteTransactionMode, SqlxError, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::Mutex;

use super::connection::{All, Connection, Execute, First, Shape};
use super::error::Failure;
use super::measure::Meter;
use super::replica::{PATIENCE, Replica};
use super::shares::Held;
use super::{Engine, Profile, Store, StoreError};
use crate::env::{Env as _, SystemEnv};

/// How often work is tried in all.
const TRIES: u32 = 12;
/// The longest pause before the second try; it doubles with each try, up to `LONGEST_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A transaction. Dropping it undoes it.
pub(super) struct Transaction {
    backend: DbBackend,
    meter: Arc<Meter>,
    state: Mutex<State>,
    /// The place of its connection in the share of a client.
    _share: Option<Held>,
}

struct State {
    /// None once the transaction has ended.
    connection: Option<Connection>,
    /// How a statement has failed. Also set while one runs: who stops waiting for it does not know how it ended.
    failure: Option<Failure>,
}

impl State {
    /// The connection, unless something has failed before: after a failure SQLite may have ended the transaction, and
    /// what follows would be committed by itself.
    fn usable(&mut self) -> Result<&mut Connection, SqlxError> {
        match (&mut self.connection, self.failure) {
            (Some(connection), None) => {
                self.failure = Some(Failure::Unclear);
                Ok(connection)
            }
            _ => Err(SqlxError::InvalidSavePointStatement),
        }
    }

    /// Takes note of how it went.
    fn after<T>(&mut self, meter: &Meter, outcome: Result<T, SqlxError>) -> Result<T, SqlxError> {
        match &outcome {
            Ok(_) => self.failure = None,
            // It was not run: the first failure is kept.
            Err(SqlxError::InvalidSavePointStatement) => {}
            Err(error) => {
                meter.writes.failed(error);
                meter.session.failed(error);
                self.failure = Some(Failure::of(error));
            }
        }
        outcome
    }
}

impl Transaction {
    async fn begin(pool: &DatabaseConnection, meter: Arc<Meter>) -> Result<Self, (Failure, DbErr)> {
        let backend = pool.get_database_backend();
        // SQLite's writer takes one after another.
        let share = if backend == DbBackend::Postgres { meter.shares.enter().await } else { Ok(None) };
        let share = share.map_err(|error| (Failure::Unclear, error))?;
        let connection = Connection::acquire(pool, &meter.session).await.map_err(|error| (Failure::Unclear, error))?;
        let state = Mutex::new(State { connection: Some(connection), failure: None });
        // Before the BEGIN, so that dropping this value undoes one whose answer was not waited for.
        let mut transaction = Self { backend, meter, state, _share: share };
        let state = transaction.state.get_mut();
        let begun = match state.usable() {
            Ok(connection) => connection.begin(transaction.meter.session.profile()).await,
            Err(error) => Err(error),
        };
        state.after(&transaction.meter, begun).map_err(|error| (Failure::of(&error), Execute::error(error)))?;
        Ok(transaction)
    }

    /// Which features of PostgreSQL statements may use.
    pub(super) fn profile(&self) -> Profile {
        self.meter.session.profile()
    }

    async fn statement<S: Shape>(&self, statement: Statement) -> Result<S::Answer, DbErr> {
        self.meter.observe(&statement);
        let begun = Instant::now();
        let mut state = self.state.lock().await;
        let outcome = match self.profile().check(&statement.sql).and_then(|()| state.usable()) {
            Ok(connection) => S::run(connection, &statement, self.meter.session.is_prepared()).await,
            Err(error) => Err(error),
        };
        let outcome = state.after(&self.meter, outcome);
        self.meter.statement(&statement.sql, begun.elapsed(), outcome.is_err());
        outcome.map_err(S::error)
    }

    /// Runs a script of SQLite of which all or nothing takes effect. The inner error: it was refused, and the
    /// transaction goes on without it. The outer error: the transaction is lost.
    pub(super) async fn savepoint(&self, mut script: Statement) -> Result<Result<(), DbErr>, DbErr> {
        script.sql = format!("SAVEPOINT batch; {}; RELEASE batch", script.sql);
        let Err(error) = self.statement::<Execute>(script).await else { return Ok(Ok(())) };
        {
            let mut state = self.state.lock().await;
            if state.failure != Some(Failure::Refused) {
                return Err(error);
            }
            state.failure = None;
        }
        self.execute_unprepared("ROLLBACK TO batch; RELEASE batch").await?;
        Ok(Err(error))
    }

    /// Commits. Else: how it failed, and the error.
    async fn commit(mut self) -> Result<(), (Failure, DbErr)> {
        let State { connection, failure } = self.state.get_mut();
        let Some(committing) = connection.as_mut() else { return Ok(()) };
        if let Some(failure) = *failure {
            let _ = self.roll_back().await;
            return Err((failure, DbErr::Custom("a statement of the transaction has failed".to_owned())));
        }
        *failure = Some(Failure::Unclear);
        let Err(error) = committing.script("COMMIT").await else {
            // Confirmed: the connection may go back to its pool.
            *connection = None;
            return Ok(());
        };
        self.meter.writes.failed(&error);
        let kind = Failure::of(&error);
        *failure = Some(kind);
        let _ = self.roll_back().await;
        Err((kind, Execute::error(error)))
    }

    /// Undoes it. How a statement has failed, if one has.
    async fn roll_back(mut self) -> Option<Failure> {
        let State { connection, failure } = self.state.get_mut();
        let failure = *failure;
        if let Some(connection) = connection.take() {
            match failure {
                Some(Failure::Unclear) => connection.close(),
                _ => connection.roll_back().await,
            }
        }
        failure
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(connection) = self.state.get_mut().connection.take() else { return };
        // A request that is dropped ends here. The rollback follows the statement that is still running.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(connection.roll_back())),
            Err(_) => connection.detach(),
        }
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.statement::<Execute>(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut state = self.state.lock().await;
        let outcome = match self.profile().check(sql).and_then(|()| state.usable()) {
            Ok(connection) => connection.script(sql).await,
            Err(error) => Err(error),
        };
        state.after(&self.meter, outcome).map_err(Execute::error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.statement::<First>(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.statement::<All>(statement).await
    }
}

/// The tries to do one piece of work, each in a transaction of its own.
pub(super) struct Tries<'a> {
    pool: &'a DatabaseConnection,
    meter: &'a Arc<Meter>,
    made: u32,
}

impl<'a> Tries<'a> {
    pub(super) fn new(pool: &'a DatabaseConnection, meter: &'a Arc<Meter>) -> Self {
        Self { pool, meter, made: 0 }
    }

    pub(super) async fn begin(&mut self) -> Result<Transaction, DbErr> {
        loop {
            match Transaction::begin(self.pool, Arc::clone(self.meter)).await {
                Ok(transaction) => return Ok(transaction),
                Err((failure, error)) => {
                    if !self.again(Some(failure)).await {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Commits the work, or undoes what has failed. None: it is to be tried again.
    pub(super) async fn end<T, E: From<DbErr>>(
        &mut self,
        transaction: Transaction,
        outcome: Result<T, E>,
    ) -> Option<Result<T, E>> {
        let (failure, error) = match outcome {
            Err(error) => (transaction.roll_back().await, error),
            Ok(value) => match transaction.commit().await {
                Ok(()) => return Some(Ok(value)),
                Err((failure, error)) => (Some(failure), error.into()),
            },
        };
        if self.again(failure).await { None } else { Some(Err(error)) }
    }

    /// Whether the database asks for another try and there is one left; then after a pause.
    async fn again(&mut self, failure: Option<Failure>) -> bool {
        self.made += 1;
        if failure != Some(Failure::Again) || self.made >= TRIES {
            return false;
        }
        let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(self.made - 1));
        let mut chance = [0; 1];
        SystemEnv::default().fill_random(&mut chance);
        // Those that met each other must not meet again.
        tokio::time::sleep(longest.mul_f64(f64::from(chance[0]) / f64::from(u8::MAX))).await;
        true
    }
}

/// Runs work in a transaction that may read and then write, and commits it: `in_transaction!(store, |transaction| …)`.
/// It runs again where the database asks for that, so it must have no effect besides; a failure undoes all of it.
///
/// A macro, because the compiler does not see yet that the future of an async closure that borrows the transaction can
/// be sent between threads.
macro_rules! in_transaction {
    ($store:expr, |$transaction:ident| $work:expr) => {{
        let pool = $store.pools().write;
        in_transaction!(&pool, &$store.connections.meter, |$transaction| $work)
    }};
    ($pool:expr, $meter:expr, |$transaction:ident| $work:expr) => {{
        let mut tries = $crate::store::transaction::Tries::new($pool, $meter);
        loop {
            let transaction = match tries.begin().await {
                Ok(transaction) => transaction,
                Err(error) => break Err(error.into()),
            };
            let $transaction = &transaction;
            let outcome = async { $work }.await;
            if let Some(outcome) = tries.end(transaction, outcome).await {
                break outcome;
            }
        }
    }};
}
pub(super) use in_transaction;

/// Single statements, each a transaction of its own.
pub(super) struct Statements {
    pool: DatabaseConnection,
    meter: Arc<Meter>,
    /// Whether the database begins and ends the transaction by itself. That saves round trips, but happens at the
    /// database's default level.
    implicit: bool,
    /// Where reads are tried first.
    replica: Option<Arc<Replica>>,
}

impl Statements {
    /// For reads, and for writes on PostgreSQL.
    pub(super) fn implicit(pool: DatabaseConnection, meter: Arc<Meter>) -> Self {
        Self { pool, meter, implicit: true, replica: None }
    }

    /// For writes on SQLite, which must not begin as reads.
    pub(super) fn explicit(pool: DatabaseConnection, meter: Arc<Meter>) -> Self {
        Self { pool, meter, implicit: false, replica: None }
    }

    /// The same, but each is tried at a replica first.
    pub(super) fn first_at(self, replica: Arc<Replica>) -> Self {
        Self { replica: Some(replica), ..self }
    }

    async fn statement<S: Shape>(&self, statement: Statement) -> Result<S::Answer, DbErr> {
        if let Some(replica) = &self.replica {
            let statements = replica.statements();
            let answer = tokio::time::timeout(PATIENCE, Box::pin(statements.here::<S>(statement.clone()))).await;
            if let Some(answer) = replica.outcome(answer.ok()) {
                return Ok(answer);
            }
        }
        self.here::<S>(statement).await
    }

    async fn here<S: Shape>(&self, statement: Statement) -> Result<S::Answer, DbErr> {
        if self.implicit && self.meter.session.is_prepared() {
            match self.alone::<S>(&statement).await {
                // From here on at the level that does not ask for it.
                Err((Failure::Again, _)) => {}
                Err((_, error)) => return Err(error),
                Ok(answer) => return Ok(answer),
            }
        }
        in_transaction!(&self.pool, &self.meter, |transaction| transaction.statement::<S>(statement.clone()).await)
    }

    async fn alone<S: Shape>(&self, statement: &Statement) -> Result<S::Answer, (Failure, DbErr)> {
        let _share = self.meter.shares.enter().await.map_err(|error| (Failure::Unclear, error))?;
        let connection = Connection::acquire(&self.pool, &self.meter.session).await;
        let mut running = Running::new(connection.map_err(|error| (Failure::Unclear, error))?);
        self.meter.observe(statement);
        let begun = Instant::now();
        let outcome = match self.meter.session.profile().check(&statement.sql) {
            Ok(()) => S::run(running.connection(), statement, true).await,
            Err(error) => Err(error),
        };
        self.meter.statement(&statement.sql, begun.elapsed(), outcome.is_err());
        let connection = running.end();
        outcome.map_err(|error| {
            self.meter.session.failed(&error);
            let failure = Failure::of(&error);
            if failure == Failure::Unclear {
                connection.close();
            }
            (failure, S::error(error))
        })
    }
}

/// A connection that runs a statement. Dropping it cancels the statement on PostgreSQL, if it does not end at once.
struct Running(Option<Connection>);

impl Running {
    fn new(connection: Connection) -> Self {
        Self(Some(connection))
    }

    fn connection(&mut self) -> &mut Connection {
        self.0.as_mut().expect("only `end` takes it, which consumes this")
    }

    fn end(mut self) -> Connection {
        self.0.take().expect("only `end` takes it, which consumes this")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(connection @ Connection::Postgres(_)) = self.0.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(connection.roll_back());
        }
    }
}

#[async_trait]
impl ConnectionTrait for Statements {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.statement::<Execute>(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.statement::<Execute>(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.statement::<First>(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.statement::<All>(statement).await
    }
}

impl Store {
    /// A transaction of the object mapper, for migrations, which take no other. A connection that it leaves behind is
    /// refused by the pool, see [`refuse_unfinished`].
    ///
    /// The mapper names its statements. Behind a pooler that does not follow these, the names of others go first, and
    /// those of the migration with `forget_names`.
    pub(super) async fn begin_migration(&self) -> Result<DatabaseTransaction, StoreError> {
        self.connections.meter.session.contact().await?;
        let options = TransactionOptions {
            isolation_level: (self.engine() == Engine::Postgres).then_some(IsolationLevel::ReadCommitted),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let pool = match &self.connections.renewal {
            Some(renewal) if !self.is_prepared() => renewal.uncached_pool().await?,
            _ => self.pools().write,
        };
        let transaction = pool.begin_with_options(options).await?;
        self.forget_names(&transaction).await?;
        Ok(transaction)
    }

    /// Removes the prepared statements of a server connection that the pooler will give to others.
    pub(super) async fn forget_names(&self, transaction: &DatabaseTransaction) -> Result<(), StoreError> {
        if !self.is_prepared() {
            transaction.execute_unprepared("DEALLOCATE ALL").await?;
        }
        Ok(())
    }

    /// Whether statements may have names.
    pub(super) fn is_prepared(&self) -> bool {
        self.connections.meter.session.is_prepared()
    }
}

/// Makes a pool close what the driver believes to be within a transaction, rather than use it again.
pub(super) fn refuse_unfinished(options: &mut ConnectOptions) {
    options
        .map_sqlx_sqlite_before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .map_sqlx_postgres_before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }));
}
