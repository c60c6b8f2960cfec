//! What the master keys seal, row by row, so that it can be sealed again under another one.

use std::fmt::Write as _;

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Order, Query};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement, Value};
use tracing::instrument;
use uuid::Uuid;

use super::{Store, StoreError, in_transaction};

/// A column that master keys seal directly. Everything else is sealed under the data key of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum SealedColumn {
    /// The data keys of users.
    UserKeys,
    /// Random keys of the service.
    Secrets,
    /// Private keys that sign tokens.
    SigningKeys,
    /// URLs of webhook endpoints.
    WebhookUrls,
    /// Secrets of webhook endpoints.
    WebhookSecrets,
    /// Secrets of webhook endpoints that were replaced and are still accepted.
    WebhookPreviousSecrets,
    /// Bodies of webhook deliveries.
    WebhookBodies,
    /// What webhook endpoints answered.
    WebhookAnswers,
}

/// The primary key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedRow {
    /// A name.
    Name(String),
    /// A client and an id.
    OfClient(Uuid, Uuid),
    /// A client, an id, and a number below it.
    Numbered(Uuid, Uuid, i64),
}

/// A value that a master key seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedValue {
    /// The row.
    pub row: SealedRow,
    /// The value.
    pub sealed: Vec<u8>,
}

/// A value that is sealed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// The row, and the value that was read.
    pub before: SealedValue,
    /// The same value under another master key.
    pub sealed: Vec<u8>,
}

impl SealedColumn {
    /// Table, primary key and column.
    const fn place(self) -> (&'static str, &'static [&'static str], &'static str) {
        const OF_CLIENT: &[&str] = &["client_id", "id"];
        match self {
            Self::UserKeys => ("users", OF_CLIENT, "wrapped_key"),
            Self::Secrets => ("secrets", &["name"], "sealed"),
            Self::SigningKeys => ("signing_keys", &["kid"], "sealed_private_key"),
            Self::WebhookUrls => ("webhook_endpoints", OF_CLIENT, "sealed_url"),
            Self::WebhookSecrets => ("webhook_endpoints", OF_CLIENT, "sealed_secret"),
            Self::WebhookPreviousSecrets => ("webhook_endpoints", OF_CLIENT, "sealed_previous_secret"),
            Self::WebhookBodies => ("webhook_deliveries", OF_CLIENT, "sealed_body"),
            Self::WebhookAnswers => ("webhook_attempts", &["client_id", "delivery_id", "number"], "sealed_answer"),
        }
    }
}

impl SealedRow {
    fn read(row: &QueryResult, columns: usize) -> Result<Self, sea_orm::DbErr> {
        Ok(match columns {
            1 => Self::Name(row.try_get_by_index(0)?),
            2 => Self::OfClient(row.try_get_by_index(0)?, row.try_get_by_index(1)?),
            _ => Self::Numbered(row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?),
        })
    }

    fn values(&self) -> Vec<Value> {
        match self {
            Self::Name(name) => vec![name.clone().into()],
            Self::OfClient(client, id) => vec![(*client).into(), (*id).into()],
            Self::Numbered(client, id, number) => vec![(*client).into(), (*id).into(), (*number).into()],
        }
    }
}

impl Store {
    /// Up to `limit` values of a column in the order of the primary key, those after the row `after`.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn sealed_values(
        &self,
        column: SealedColumn,
        after: Option<&SealedRow>,
        limit: u64,
    ) -> Result<Vec<SealedValue>, StoreError> {
        let (table, key, sealed) = column.place();
        let named = |name: &&'static str| Expr::col(Alias::new(*name));
        let mut query = Query::select();
        query.columns(key.iter().map(|name| Alias::new(*name))).column(Alias::new(sealed)).from(Alias::new(table));
        query.and_where(Expr::col(Alias::new(sealed)).is_not_null());
        if let Some(after) = after {
            let last = after.values().into_iter().map(Expr::val);
            query.and_where(Expr::tuple(key.iter().map(named)).gt(Expr::tuple(last)));
        }
        for name in key {
            query.order_by(Alias::new(*name), Order::Asc);
        }
        let rows = self.read().query_all(query.limit(limit)).await?;
        let read = |row: &QueryResult| {
            Ok(SealedValue { row: SealedRow::read(row, key.len())?, sealed: row.try_get_by_index(key.len())? })
        };
        rows.iter().map(read).collect()
    }

    /// Replaces values of a column that are still what was read; returns how many.
    ///
    /// # Errors
    /// `Unavailable` without the database; nothing is replaced then.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn reseal(&self, column: SealedColumn, values: &[Resealed]) -> Result<u64, StoreError> {
        let Some(first) = values.first() else { return Ok(0) };
        let key_length = first.before.row.values().len();
        let sql = reseal_sql(column, values.len());
        debug_assert_eq!(key_length, column.place().1.len());
        let replaced: Result<_, StoreError> = in_transaction!(self, |transaction| {
            let bound = values.iter().flat_map(|value| {
                let mut row = value.before.row.values();
                row.extend([value.before.sealed.clone().into(), value.sealed.clone().into()]);
                row
            });
            let statement = Statement::from_sql_and_values(transaction.get_database_backend(), &sql, bound);
            Ok(transaction.execute_raw(statement).await?.rows_affected())
        });
        replaced
    }
}

/// One statement for all rows. Both engines name the columns of VALUES `column1`, `column2` and so on.
fn reseal_sql(column: SealedColumn, rows: usize) -> String {
    let (table, key, sealed) = column.place();
    let width = key.len() + 2;
    let (old, new) = (width - 1, width);
    let mut sql = format!("UPDATE {table} SET {sealed} = new.column{new} FROM (VALUES ");
    for row in 0..rows {
        let places: Vec<String> = (1..=width).map(|place| format!("${}", row * width + place)).collect();
        let separator = if row == 0 { "" } else { ", " };
        // Writing to a String does not fail.
        let _ = write!(sql, "{separator}({})", places.join(", "));
    }
    sql.push_str(") AS new WHERE ");
    for (position, name) in key.iter().enumerate() {
        let _ = write!(sql, "{table}.{name} = new.column{} AND ", position + 1);
    }
    let _ = write!(sql, "{table}.{sealed} = new.column{old}");
    sql
}
