//! By what users are found, and how many there are.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{client, id, key, number, optional, small, text, time};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The key has everything. No foreign key to users: it would look every user up once for each of its values.
        let mut entries = Table::create()
            .table("user_index")
            .col(id("client_id"))
            .col(small("version"))
            .col(id("digest"))
            .col(id("user_id"))
            .primary_key(&mut key(["client_id", "version", "digest", "user_id"]))
            .take();
        if manager.get_database_backend() == DbBackend::Sqlite {
            // Else each row would be stored twice, in the table and in its key.
            entries.extra("WITHOUT ROWID");
        }
        manager.create_table(entries).await?;
        let external_ids = Table::create()
            .table("external_ids")
            .col(id("client_id"))
            .col(id("digest"))
            .col(id("user_id"))
            .primary_key(&mut key(["client_id", "digest"]))
            .take();
        manager.create_table(external_ids).await?;
        let counts = Table::create()
            .table("user_counts")
            .col(id("client_id"))
            .col(number("span"))
            .col(number("start"))
            .col(text("kind"))
            .col(text("status"))
            .col(number("users"))
            .primary_key(&mut key(["client_id", "span", "start", "kind", "status"]))
            .foreign_key(&mut client("user_counts"))
            .take();
        manager.create_table(counts).await?;
        let changes = Table::create()
            .table("user_count_changes")
            .col(id("client_id"))
            .col(id("id"))
            .col(number("hour"))
            .col(text("kind"))
            .col(optional(text("before")))
            .col(text("after"))
            .col(number("users"))
            .primary_key(&mut key(["client_id", "id"]))
            .take();
        manager.create_table(changes).await?;
        // Of the installation: one row for each version of the index.
        let rebuilds = Table::create()
            .table("index_rebuilds")
            .col(small("version"))
            .col(id("client_id"))
            .col(id("user_id"))
            .col(number("indexed"))
            .col(time("first_at"))
            .col(time("began_at"))
            .col(optional(time("ended_at")))
            .primary_key(&mut key(["version"]))
            .take();
        manager.create_table(rebuilds).await
    }
}
