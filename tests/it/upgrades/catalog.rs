//! What the database says of its own schema, in the same words on both engines.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement, TryGetable};
use serde::{Deserialize, Serialize};

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) columns: BTreeMap<String, Column>,
    /// The columns of each unique constraint and index, the primary key among them: what rows cannot share, and what
    /// `ON CONFLICT` may name.
    pub(crate) unique: BTreeSet<BTreeSet<String>>,
    pub(crate) references: BTreeSet<Reference>,
    /// The text of each CHECK.
    pub(crate) checks: BTreeSet<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) nullable: bool,
    pub(crate) has_default: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) columns: Vec<String>,
    pub(crate) table: String,
    /// Whether a row that is referred to can be deleted all the same.
    pub(crate) lets_go: bool,
}

/// The tables, without the migrator's own.
pub(crate) type Tables = BTreeMap<String, Table>;

/// Reads the catalog.
pub(crate) async fn read(connection: &DatabaseConnection) -> Tables {
    match connection.get_database_backend() {
        DbBackend::Postgres => postgres(connection).await,
        _ => sqlite(connection).await,
    }
}

async fn rows(connection: &DatabaseConnection, sql: impl Into<String>) -> Vec<QueryResult> {
    let statement = Statement::from_string(connection.get_database_backend(), sql.into());
    connection.query_all_raw(statement).await.expect("the catalog can be read")
}

fn get<T: TryGetable>(row: &QueryResult, column: &str) -> T {
    row.try_get("", column).unwrap_or_else(|error| panic!("{column} of the catalog: {error}"))
}

async fn postgres(connection: &DatabaseConnection) -> Tables {
    let mut tables = Tables::new();
    let columns = "SELECT relname::text AS tab, attname::text AS col, format_type(atttypid, atttypmod) AS kind, \
                   NOT attnotnull AS nullable, atthasdef OR attidentity <> '' AS has_default \
                   FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
                   WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition \
                   AND attnum > 0 \
                   AND NOT attisdropped AND relname <> 'seaql_migrations'";
    for row in rows(connection, columns).await {
        let column =
            Column { kind: get(&row, "kind"), nullable: get(&row, "nullable"), has_default: get(&row, "has_default") };
        tables.entry(get(&row, "tab")).or_default().columns.insert(get(&row, "col"), column);
    }
    let unique = "SELECT indrelid::regclass::text AS tab, array_to_string(ARRAY(SELECT attname FROM pg_attribute \
                  WHERE attrelid = indrelid AND attnum = ANY(indkey)), ',') AS cols FROM pg_index \
                  JOIN pg_class ON pg_class.oid = indrelid \
                  WHERE indisunique AND relnamespace = 'public'::regnamespace AND NOT relispartition \
                  AND relname <> 'seaql_migrations'";
    for row in rows(connection, unique).await {
        let table = tables.entry(get(&row, "tab")).or_default();
        table.unique.insert(list(&get::<String>(&row, "cols")).into_iter().collect());
    }
    let constraints = "SELECT conrelid::regclass::text AS tab, contype::text AS kind, pg_get_constraintdef(oid) AS text, \
                       CASE contype WHEN 'f' THEN confrelid::regclass::text ELSE '' END AS target, \
                       confdeltype IN ('c', 'n', 'd') AS lets_go, array_to_string(ARRAY(SELECT attname FROM pg_attribute \
                       WHERE attrelid = conrelid AND attnum = ANY(conkey)), ',') AS cols FROM pg_constraint \
                       WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'c') \
                       AND NOT EXISTS (SELECT 1 FROM pg_class WHERE pg_class.oid = conrelid AND relispartition)";
    for row in rows(connection, constraints).await {
        let table = tables.entry(get(&row, "tab")).or_default();
        if get::<String>(&row, "kind") == "c" {
            table.checks.insert(get(&row, "text"));
        } else {
            let columns = list(&get::<String>(&row, "cols"));
            table.references.insert(Reference { columns, table: get(&row, "target"), lets_go: get(&row, "lets_go") });
        }
    }
    tables
}

async fn sqlite(connection: &DatabaseConnection) -> Tables {
    let mut tables = Tables::new();
    let names = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                 AND name <> 'seaql_migrations'";
    for row in rows(connection, names).await {
        let (name, text): (String, String) = (get(&row, "name"), get(&row, "sql"));
        let mut table = Table::default();
        let columns = format!(
            "SELECT name, type, \"notnull\" AS not_null, dflt_value IS NOT NULL AS has_default, pk \
             FROM pragma_table_info('{name}')"
        );
        let mut key = BTreeSet::new();
        for row in rows(connection, columns).await {
            let column: String = get(&row, "name");
            let is_key = get::<i32>(&row, "pk") > 0;
            if is_key {
                key.insert(column.clone());
            }
            let kind = get::<String>(&row, "type");
            let nullable = get::<i32>(&row, "not_null") == 0;
            table.columns.insert(column, Column { kind, nullable, has_default: get::<i32>(&row, "has_default") == 1 });
        }
        table.unique.insert(key);
        let indexes = format!("SELECT name FROM pragma_index_list('{name}') WHERE \"unique\" = 1");
        for row in rows(connection, indexes).await {
            let columns = format!("SELECT name FROM pragma_index_info('{}')", get::<String>(&row, "name"));
            let columns = rows(connection, columns).await;
            table.unique.insert(columns.iter().map(|row| get(row, "name")).collect());
        }
        let references = format!(
            "SELECT \"table\" AS target, group_concat(\"from\") AS cols, max(on_delete) AS on_delete \
             FROM pragma_foreign_key_list('{name}') GROUP BY id"
        );
        for row in rows(connection, references).await {
            let lets_go = matches!(get::<String>(&row, "on_delete").as_str(), "CASCADE" | "SET NULL" | "SET DEFAULT");
            let columns = list(&get::<String>(&row, "cols"));
            table.references.insert(Reference { columns, table: get(&row, "target"), lets_go });
        }
        // SQLite keeps no list of them. Our schema has none.
        let has_check = text.to_uppercase().contains("CHECK");
        table.checks.extend(has_check.then_some(text));
        tables.insert(name, table);
    }
    tables
}

fn list(text: &str) -> Vec<String> {
    let mut list: Vec<_> = text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    list.sort_unstable();
    list
}
