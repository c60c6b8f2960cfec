//! What a service has stored.

use std::collections::BTreeMap;
use std::path::Path;

use sea_orm::{ConnectionTrait, Statement};

use crate::harness::database::ALL_EVENTS;
use crate::harness::service::Service;

/// The number of rows of every table, and of the files below the documents' folder.
pub(crate) async fn stored(service: &Service) -> BTreeMap<String, i64> {
    let connection = service.database.look().await;
    let backend = connection.get_database_backend();
    let names = match backend {
        sea_orm::DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        // Without partitions, which a job makes.
        _ => {
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
             AND NOT relispartition"
        }
    };
    let rows = connection.query_all_raw(Statement::from_string(backend, names)).await.expect("tables can be listed");
    let mut found = BTreeMap::new();
    for row in rows {
        let table: String = row.try_get_by_index(0).expect("a name is text");
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        let row = connection.query_one_raw(Statement::from_string(backend, sql)).await.expect("the table exists");
        let count: i64 = row.expect("a count is one row").try_get_by_index(0).expect("a count is a number");
        found.insert(table, count);
    }
    // Background jobs move events and sums from one table to the other, and record their progress.
    for moved in ["outbox", "watermarks", "index_rebuilds", "user_counts", "user_count_changes"] {
        found.remove(moved);
    }
    found.insert("events".to_owned(), service.database.count(ALL_EVENTS).await);
    assert!(found.contains_key("users") && found.contains_key("documents"), "{found:?}");
    found.insert("files".to_owned(), files(&service.folder.path().join("documents")));
    found
}

fn files(folder: &Path) -> i64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.expect("an entry").path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}
