//! Parts that statements share.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{
    Alias, Asterisk, Expr, ExprTrait as _, Func, FunctionCall, Query, SelectStatement, SimpleExpr, Values,
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use super::{Engine, StoreError};

/// How many rows of a list are counted at most; a list that is longer counts one more.
pub const MOST_COUNTED: u64 = 10_000;

/// The rows with these keys, each of a client and an id: one range of the primary key for each client.
pub(super) fn with_keys<C: ColumnTrait>(client: C, id: C, keys: impl IntoIterator<Item = (Uuid, Uuid)>) -> Condition {
    let mut clients: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (client_id, id) in keys {
        clients.entry(client_id).or_default().push(id);
    }
    if clients.is_empty() {
        return Condition::all().add(id.is_in([] as [Uuid; 0]));
    }
    let of_client = |(client_id, ids): (Uuid, Vec<Uuid>)| client.eq(client_id).and(id.is_in(ids));
    clients.into_iter().map(of_client).fold(Condition::any(), Condition::add)
}

/// A source of rows `name`, one for each of these ids, and the id of a row. The list is one parameter, so that the statement
/// is the same for any number of ids: the engines keep few prepared statements.
pub(super) fn each_id(engine: Engine, ids: &[Uuid], name: &'static str) -> (FunctionCall, SimpleExpr) {
    match engine {
        Engine::Postgres => {
            let ids: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
            let list = Expr::cust_with_values("CAST($1 AS uuid[])", [format!("{{{}}}", ids.join(","))]);
            (Func::cust("unnest").arg(list), Expr::col(Alias::new(name)))
        }
        Engine::Sqlite => {
            let ids: Vec<_> = ids.iter().map(|id| format!("\"{}\"", id.simple())).collect();
            let id = Func::cust("unhex").arg(Expr::col((Alias::new(name), Alias::new("value"))));
            (Func::cust("json_each").arg(format!("[{}]", ids.join(","))), id.into())
        }
    }
}

/// The rows before a time, and at that time before an id: one range of an index of both.
pub(super) fn before<C: ColumnTrait>(time: C, id: C, place: (DateTime<Utc>, Uuid)) -> SimpleExpr {
    let columns = Expr::tuple([time.into_expr(), id.into_expr()]);
    columns.lt(Expr::tuple([Expr::val(place.0), Expr::val(place.1)]))
}

/// The first `limit` of these rows, which are ordered as an index is. PostgreSQL does not see the limit when it plans: where
/// it takes the rows for fewer, as it does before the first ANALYZE of what came, it would read and sort all of them.
pub(super) fn first_of(engine: Engine, mut rows: SelectStatement, limit: u64) -> Statement {
    match engine {
        Engine::Sqlite => DbBackend::Sqlite.build(rows.limit(limit)),
        Engine::Postgres => {
            let mut statement = DbBackend::Postgres.build(&rows);
            let values = &mut statement.values.get_or_insert(Values(Vec::new())).0;
            values.push(limit.into());
            statement.sql.push_str(&format!(" LIMIT (SELECT CAST(${} AS bigint))", values.len()));
            statement
        }
    }
}

/// How many of these rows there are, counted up to one more than [`MOST_COUNTED`].
pub(super) async fn count(connection: &impl ConnectionTrait, rows: SelectStatement) -> Result<u64, StoreError> {
    count_up_to(connection, rows, MOST_COUNTED + 1).await
}

/// How many of these rows there are, counted up to `most`.
pub(super) async fn count_up_to(
    connection: &impl ConnectionTrait,
    mut rows: SelectStatement,
    most: u64,
) -> Result<u64, StoreError> {
    let rows = rows.clear_selects().expr(Expr::val(1)).clear_order_by().limit(most).take();
    let count = Query::select().expr(Expr::col(Asterisk).count()).from_subquery(rows, "counted").take();
    let row = connection.query_one(&count).await?.ok_or_else(|| StoreError::corrupt("a count"))?;
    Ok(row.try_get_by_index::<i64>(0)?.unsigned_abs())
}
