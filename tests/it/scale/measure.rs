//! What one statement reads, as the engine counts it.

use kira_users::store::Engine;
use rusqlite::StatementStatus;
use sea_orm::sea_query::{PostgresQueryBuilder, QueryBuilder as _, SqliteQueryBuilder, Value};
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::Value as Json;

use super::fill::{CLIENTS, ENDPOINTS};
use crate::harness::database::{TestDatabase, engine};

/// Rows that a statement may read beside what it returns: some for each subquery of a handful.
const FEW: f64 = 200.0;
/// Rows that it may read for each that it returns, changes or names: of joined tables, and of one more lookup.
const EACH: f64 = 8.0;
/// Blocks that any statement may touch: a table that is no larger is read whole, rightly.
const SMALL: f64 = 250.0;
/// Blocks that PostgreSQL may touch for each such row: of the table and of each index, from the root down.
const BLOCKS: f64 = 80.0;
/// Steps of SQLite's machine for each such row.
const STEPS: f64 = 500.0;
/// Rows that a count may read: a list, or each endpoint's deliveries, are counted up to here.
const COUNTED: f64 = 10_001.0;

/// Whether a statement reads: inserts of values, and the steps of transactions, do not.
pub(crate) fn reads(statement: &Statement) -> bool {
    let sql = statement.sql.trim_start();
    let head = sql.split_ascii_whitespace().next().unwrap_or_default();
    match head {
        "SELECT" => sql.contains("FROM \""),
        "UPDATE" | "DELETE" => true,
        "WITH" => sql.contains("DELETE"),
        "INSERT" => sql.contains("FROM \"outbox\""),
        _ => false,
    }
}

/// Runs a statement once more and undoes it; says what is too much.
pub(crate) async fn judge(database: &TestDatabase, statement: &Statement) -> Option<String> {
    match engine() {
        Engine::Postgres => judge_on_postgres(database, statement).await,
        Engine::Sqlite => judge_on_sqlite(database, statement),
    }
}

/// The plan of a statement, if it reads deliveries of a day.
pub(crate) async fn reads_days(database: &TestDatabase, statement: &Statement) -> Option<String> {
    let connection = database.look().await;
    connection.execute_unprepared(&format!("PREPARE looked_at AS {}", statement.sql)).await.expect("a statement");
    let values = literals(statement);
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = format!("EXPLAIN EXECUTE looked_at{values}");
    let rows = connection.query_all_raw(Statement::from_string(sea_orm::DbBackend::Postgres, explain)).await;
    let lines = rows.expect("a plan").into_iter().map(|row| row.try_get_by_index::<String>(0).expect("a line"));
    let plan = lines.collect::<Vec<_>>().join("\n");
    connection.close().await.expect("the end");
    plan.contains("on webhook_deliveries_2").then(|| format!("{}\n{plan}", shortened(&statement.sql)))
}

fn literals(statement: &Statement) -> Vec<String> {
    let values = statement.values.iter().flat_map(|values| &values.0);
    let literal = |value: &Value| match engine() {
        Engine::Postgres => PostgresQueryBuilder.value_to_string(value),
        Engine::Sqlite => SqliteQueryBuilder.value_to_string(value),
    };
    values.map(literal).collect()
}

fn is_count(statement: &Statement) -> bool {
    statement.sql.contains("COUNT(")
}

fn shortened(sql: &str) -> String {
    sql.chars().take(700).collect()
}

async fn judge_on_postgres(database: &TestDatabase, statement: &Statement) -> Option<String> {
    let connection = database.look().await;
    let run = async |sql: String| {
        let statement = Statement::from_string(sea_orm::DbBackend::Postgres, sql.clone());
        connection.query_all_raw(statement).await.map_err(|error| format!("{error}"))
    };
    connection.execute_unprepared("BEGIN").await.expect("a transaction");
    connection.execute_unprepared(&format!("PREPARE judged AS {}", statement.sql)).await.expect("a statement");
    let values = literals(statement);
    let execute = match values.len() {
        0 => "EXECUTE judged".to_owned(),
        _ => format!("EXECUTE judged({})", values.join(", ")),
    };
    // Until the server decides between a plan for these values and one for any.
    for _ in 0..5 {
        run(format!("EXPLAIN {execute}")).await.expect("a plan");
    }
    connection.execute_unprepared("SAVEPOINT tried").await.expect("a savepoint");
    let measured = run(format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {execute}")).await;
    // What was inserted by the tour is there already: its plan is enough.
    let (rows, is_run) = match measured {
        Ok(rows) => (rows, true),
        Err(_) => {
            connection.execute_unprepared("ROLLBACK TO tried").await.expect("the savepoint");
            (run(format!("EXPLAIN (FORMAT JSON) {execute}")).await.expect("a plan"), false)
        }
    };
    let plan: Json = rows[0].try_get_by_index(0).expect("a plan");
    connection.execute_unprepared("ROLLBACK; DEALLOCATE judged").await.expect("the end");
    connection.close().await.expect("the end");
    let plan = &plan[0]["Plan"];
    if !is_run {
        let is_scan = plan.to_string().contains("\"Node Type\":\"Seq Scan\"");
        return is_scan.then(|| format!("a sequential scan\n{}\n{plan:#}", shortened(&statement.sql)));
    }
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let (mut read, mut changed) = (0.0, 0.0);
    count(plan, named(&values), &mut read, &mut changed);
    let returned = f64::max(number("Actual Rows"), changed).max(named(&values));
    let blocks = blocks_of(plan);
    let counted = if is_count(statement) { COUNTED * (CLIENTS * ENDPOINTS) as f64 } else { 0.0 };
    let most = FEW + EACH * returned + counted;
    let too_much = read > most && blocks > SMALL || blocks > BLOCKS * (returned + 10.0) + counted;
    too_much.then(|| {
        format!("{read} rows and {blocks} blocks read for {returned}\n{}\n{plan:#}", shortened(&statement.sql))
    })
}

/// How many values a statement names; a list of ids is one parameter.
fn named(values: &[String]) -> f64 {
    values.iter().map(|value| value.split(',').count()).sum::<usize>() as f64
}

/// The blocks that a node of a plan touched, with those below it.
fn blocks_of(node: &Json) -> f64 {
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|name| node[name].as_f64()).sum()
}

/// Adds what the scans of a plan read, and what a change of rows was given.
///
/// Not what was filtered out of a table that has fewer blocks than the statement names rows: to look each row up by an index
/// takes a block of the index for each, at least. What such a scan reads does not grow with the table; a larger one is
/// looked up.
fn count(node: &Json, named: f64, read: &mut f64, changed: &mut f64) {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let of_table = ["Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"].contains(&kind);
    if of_table {
        let is_small = kind == "Seq Scan" && blocks_of(node) < named;
        let removed = if is_small { 0.0 } else { number("Rows Removed by Filter") };
        let rows = number("Actual Rows") + removed + number("Rows Removed by Index Recheck");
        *read += rows * number("Actual Loops");
    }
    let plans = node["Plans"].as_array().into_iter().flatten();
    for plan in plans {
        if kind == "ModifyTable" && plan["Parent Relationship"] == "Outer" {
            *changed += plan["Actual Rows"].as_f64().unwrap_or_default();
        }
        count(plan, named, read, changed);
    }
}

fn judge_on_sqlite(database: &TestDatabase, statement: &Statement) -> Option<String> {
    let path = database.folder().expect("a folder").join("users.db");
    let connection = rusqlite::Connection::open(path).expect("the file");
    connection.execute_batch("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE").expect("a transaction");
    let mut sql = statement.sql.clone();
    let values = literals(statement);
    if sql.contains("$1") {
        for (number, value) in (1..).zip(&values).collect::<Vec<_>>().into_iter().rev() {
            sql = sql.replace(&format!("${number}"), value);
        }
    } else {
        sql = statement.to_string();
    }
    let plan = plan(&connection, &sql);
    let mut prepared = connection.prepare(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut returned = 0_u32;
    let mut rows = prepared.query([]).expect("no parameters are left");
    // What was inserted by the tour is there already.
    while let Ok(Some(_)) = rows.next() {
        returned += 1;
    }
    drop(rows);
    let status = |what| f64::from(prepared.get_status(what));
    let (scanned, sorts, steps) =
        (status(StatementStatus::FullscanStep), status(StatementStatus::Sort), status(StatementStatus::VmStep));
    drop(prepared);
    let returned = f64::max(f64::from(returned), connection.changes() as f64).max(named(&values));
    connection.execute_batch("ROLLBACK").expect("the end");
    let counted = if is_count(statement) { COUNTED * (CLIENTS * ENDPOINTS) as f64 } else { 0.0 };
    let most = FEW + EACH * returned + counted;
    let too_much = scanned > most || steps > STEPS * (returned + 60.0) + 20.0 * counted;
    too_much.then(|| {
        format!("{scanned} rows scanned, {sorts} sorts, {steps} steps for {returned}\n{}\n{plan}", shortened(&sql))
    })
}

fn plan(connection: &rusqlite::Connection, sql: &str) -> String {
    let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
    let lines = explained.query_map([], |row| row.get::<_, String>(3)).expect("a plan");
    lines.map(|line| line.expect("a line")).collect::<Vec<_>>().join("\n")
}
