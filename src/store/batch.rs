//! One atomic set of inserts in one round trip.
//!
//! Round trips are what a create costs (measured: six statements in a transaction reach three quarters of what pgbench
//! reaches in the same run, one statement one and a half times as much), so all rows of a change are written together:
//! on PostgreSQL as data-modifying CTEs of one statement, which is a transaction of its own; on SQLite as one script
//! inside the transaction that the writer commits for all that is queued.

use std::sync::Arc;

use sea_orm::sea_query::{CommonTableExpression, InsertStatement, SubQueryStatement, WithClause};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryTrait, Statement,
};

use super::error::{StoreError, WriteError};
use super::measure::Meter;
use super::queue::Queue;
use super::transaction::{Statements, Transaction, in_transaction};

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

    /// Adds an insert.
    pub(super) fn statement(mut self, insert: Option<InsertStatement>) -> Self {
        self.inserts.extend(insert);
        self
    }

    /// Writes everything on PostgreSQL; it is durable when this returns.
    pub(super) async fn write(self, statements: &Statements) -> Result<(), WriteError> {
        if let Some(statement) = self.into_statement() {
            statements.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// Writes everything on SQLite; it is durable when this returns.
    pub(super) async fn queue(self, writer: &Writer) -> Result<(), WriteError> {
        let Some(script) = self.into_script() else { return Ok(()) };
        writer.submit(script).await.unwrap_or_else(|| Err(WriteError::Failed(StoreError::writer_gone())))
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
pub(super) fn start_writer(connection: DatabaseConnection, meter: Arc<Meter>) -> Writer {
    Queue::start(TOGETHER, move |scripts| {
        let (connection, meter) = (connection.clone(), Arc::clone(&meter));
        async move { commit_together(&connection, &meter, scripts).await }
    })
}

/// Runs all scripts and commits them at once; one that is refused is undone alone. No caller gets an answer before the
/// commit: a script that met a conflict may have met a row of this very transaction.
async fn commit_together(
    connection: &DatabaseConnection,
    meter: &Arc<Meter>,
    scripts: Vec<Statement>,
) -> Vec<Result<(), WriteError>> {
    match in_transaction!(connection, meter, |transaction| run_all(transaction, &scripts).await) {
        Ok(results) => results,
        Err(error) => vec![Err(WriteError::Failed(error)); scripts.len()],
    }
}

async fn run_all(transaction: &Transaction, scripts: &[Statement]) -> Result<Vec<Result<(), WriteError>>, StoreError> {
    let mut results = Vec::with_capacity(scripts.len());
    let mut rest = scripts;
    while !rest.is_empty() {
        let (run, others) = rest.split_at(length_of_run(rest));
        if run.len() > 1 && transaction.savepoint(one_after_another(run)).await?.is_ok() {
            results.extend(run.iter().map(|_| Ok(())));
        } else {
            // One by one, so that only the one at fault fails.
            for script in run {
                let outcome = transaction.savepoint(one_after_another(std::slice::from_ref(script))).await?;
                results.push(outcome.map_err(DbErr::into));
            }
        }
        rest = others;
    }
    Ok(results)
}

/// How many of the first scripts go to SQLite's thread together: handing over is what costs. They must be the same
/// text, and a power of two of them, so that the driver's cache of prepared scripts holds few variants.
fn length_of_run(scripts: &[Statement]) -> usize {
    let same = scripts.iter().take_while(|script| script.sql == scripts[0].sql).count();
    1 << same.ilog2()
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
