//! The column types of the schema, spelled once.

use sea_orm_migration::prelude::{ColumnDef, ForeignKey, ForeignKeyCreateStatement, Index, IndexCreateStatement};

/// An identifier.
pub(crate) fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().take()
}

/// Text of any length.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

/// Sealed or hashed bytes.
pub(crate) fn bytes(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().not_null().take()
}

/// A moment.
pub(crate) fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().not_null().take()
}

/// JSON: `jsonb` on PostgreSQL, text on SQLite.
pub(crate) fn json(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json_binary().not_null().take()
}

/// A whole number of 64 bits.
pub(crate) fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

/// A small whole number of 16 bits.
pub(crate) fn small(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).small_integer().not_null().take()
}

/// True or false.
pub(crate) fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

/// The same column, nullable.
pub(crate) fn optional(mut column: ColumnDef) -> ColumnDef {
    column.null().take()
}

/// The primary key of a table.
pub(crate) fn key<const N: usize>(columns: [&'static str; N]) -> IndexCreateStatement {
    let mut key = Index::create();
    key.primary();
    for column in columns {
        key.col(column);
    }
    key.take()
}

/// `client_id` of `table` is a client.
pub(crate) fn client(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(format!("{table}_client_fkey")).from(table, "client_id").to("clients", "id").take()
}

/// `client_id` and `column` of `table` are a row of `target`.
pub(crate) fn reference(table: &'static str, column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_{column}_fkey"))
        .from(table, ("client_id", column))
        .to(target, ("client_id", "id"))
        .take()
}

/// An index named after its columns.
pub(crate) fn index<const N: usize>(table: &'static str, columns: [&'static str; N]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{table}_{}_idx", columns.join("_"))).table(table).if_not_exists();
    for column in columns {
        index.col(column);
    }
    index.take()
}
