//! One atomic set of inserts in one round trip.
//!
//! Round trips are what a create costs (measured: six statements in a transaction reach three quarters of what pgbench
//! reaches beside it, one statement one and a half times as much), so all rows of a change are written together:
//! on PostgreSQL as data-modifying CTEs of one statement, which is a transaction of its own; on SQLite as one script
//! inside the transaction that the writer commits for all that is queued.

use sea_orm::sea_query::{CommonTableExpression, InsertStatement, SubQueryStatement, WithClause};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    QueryTrait, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use super::error::{StoreError, WriteError};
use super::queue::Queue;

/// How many batches one SQLite transaction commits at most.
const TOGETHER: usize = 64;

/// The queue in front of SQLite's one writer.
pub(super) type Writer = Queue<Statement, Result<(), WriteError>>;

/// Inserts that succeed or fail together.
///
/// Order: a row before those that refer to it, since SQLite checks each statement as it goes. The row that may conflict
/// goes last: PostgreSQL runs the last statement first, so that a duplicate waits before it has written anything.
#[derive(Debug, Default)]
pub(super) struct Batch {
    inserts: Vec<InsertStatement>,
}

impl Batch {
    /// Adds rows of one table.
    pub(super) fn insert<A>(mut self, rows: impl IntoIterator<Item = A>) -> Self
    where
        A: ActiveModelTrait,
    {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_some() {
            self.inserts.push(A::Entity::insert_many(rows).into_query());
        }
        self
    }

    /// Everything as one statement for PostgreSQL; None for an empty batch.
    fn into_statement(mut self) -> Option<Statement> {
        let main = self.inserts.pop()?;
        let mut with = WithClause::new();
        if self.inserts.is_empty() {
            return Some(DbBackend::Postgres.build(&main));
        }
        for (number, insert) in self.inserts.into_iter().enumerate() {
            let mut part = CommonTableExpression::new();
            part.table_name(format!("part_{number}")).query(SubQueryStatement::InsertStatement(insert));
            with.cte(part);
        }
        Some(DbBackend::Postgres.build(&with.query(main)))
    }

    /// Everything as one script for SQLite; None for an empty batch.
    fn into_script(self) -> Option<Statement> {
        let statements: Vec<_> = self.inserts.iter().map(|insert| DbBackend::Sqlite.build(insert)).collect();
        if statements.is_empty() { None } else { Some(one_after_another(&statements)) }
    }
}

/// Starts SQLite's writer on `connection`, a pool of one.
pub(super) fn start_writer(connection: DatabaseConnection) -> Writer {
    Queue::start(TOGETHER, move |scripts| {
        let connection = connection.clone();
        async move { commit_together(&connection, scripts).await }
    })
}

/// Writes a batch; it is durable when this returns.
pub(super) async fn write(
    connection: &DatabaseConnection,
    writer: Option<&Writer>,
    batch: Batch,
) -> Result<(), WriteError> {
    match writer {
        None => {
            if let Some(statement) = batch.into_statement() {
                connection.execute_raw(statement).await?;
            }
            Ok(())
        }
        Some(writer) => match batch.into_script() {
            None => Ok(()),
            Some(script) => {
                writer.submit(script).await.unwrap_or_else(|| Err(WriteError::Failed(StoreError::writer_gone())))
            }
        },
    }
}

/// A transaction that may read and then write: on SQLite it takes the write lock at once, since taking it later fails
/// when another writer came between.
pub(super) async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    connection
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await
}

/// Runs all scripts and commits them at once; one that fails undoes itself only. Nobody is told before the commit: a
/// script that met a conflict may have met a row of this very transaction.
async fn commit_together(connection: &DatabaseConnection, scripts: Vec<Statement>) -> Vec<Result<(), WriteError>> {
    let count = scripts.len();
    match try_commit_together(connection, scripts).await {
        Ok(results) => results,
        // Nothing of the batch is in the database.
        Err(error) => vec![Err(WriteError::Failed(error.into())); count],
    }
}

async fn try_commit_together(
    connection: &DatabaseConnection,
    scripts: Vec<Statement>,
) -> Result<Vec<Result<(), WriteError>>, DbErr> {
    let transaction = begin(connection).await?;
    let mut results = Vec::with_capacity(scripts.len());
    let mut rest = scripts.as_slice();
    while !rest.is_empty() {
        let (run, others) = rest.split_at(length_of_run(rest));
        if run.len() > 1 && in_savepoint(&transaction, run).await?.is_ok() {
            results.extend(run.iter().map(|_| Ok(())));
        } else {
            // One by one, so that only the one at fault fails.
            for script in run {
                results.push(in_savepoint(&transaction, std::slice::from_ref(script)).await?);
            }
        }
        rest = others;
    }
    transaction.commit().await?;
    Ok(results)
}

/// How many of the first scripts go to SQLite's thread together: handing over is what costs. They must be the same
/// text, and a power of two of them, so that the driver's cache of prepared scripts holds few variants.
fn length_of_run(scripts: &[Statement]) -> usize {
    let same = scripts.iter().take_while(|script| script.sql == scripts[0].sql).count();
    1 << same.ilog2()
}

/// Runs scripts of which all or none take effect. The outer error: the transaction is lost.
async fn in_savepoint(
    transaction: &DatabaseTransaction,
    scripts: &[Statement],
) -> Result<Result<(), WriteError>, DbErr> {
    let mut script = one_after_another(scripts);
    script.sql = format!("SAVEPOINT batch; {}; RELEASE batch", script.sql);
    match transaction.execute_raw(script).await {
        Ok(_) => Ok(Ok(())),
        Err(error) => {
            // Fails if SQLite has given up the whole transaction (disk full, input/output error): then all fail.
            transaction.execute_unprepared("ROLLBACK TO batch; RELEASE batch").await?;
            Ok(Err(error.into()))
        }
    }
}

/// Several statements as one text. SQLite numbers a bare `?` on from the one before, across statements too.
fn one_after_another(statements: &[Statement]) -> Statement {
    let sql: Vec<_> = statements.iter().map(|statement| statement.sql.as_str()).collect();
    let values = statements.iter().flat_map(|statement| &statement.values).flat_map(|values| &values.0).cloned();
    Statement::from_sql_and_values(DbBackend::Sqlite, sql.join("; "), values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts(texts: &[&str]) -> Vec<Statement> {
        texts.iter().map(|text| Statement::from_string(DbBackend::Sqlite, *text)).collect()
    }

    #[test]
    fn a_run_is_of_one_text_and_a_power_of_two_long() {
        assert_eq!(length_of_run(&scripts(&["a"])), 1);
        assert_eq!(length_of_run(&scripts(&["a", "b", "b", "b"])), 1);
        assert_eq!(length_of_run(&scripts(&["b", "b", "b", "a"])), 2);
        assert_eq!(length_of_run(&scripts(&["b"; 63])), 32);
    }
}
