//! Indexing users that are there, while the service serves.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use kira_users::store::Engine;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use uuid::Uuid;

use crate::harness::database::engine;
use crate::harness::service::Service;
use crate::lookup::support::{created, found, named, rebuild};
use crate::promises::support::execute;
use crate::updates::support::put;

/// As if another version of the program had written all users.
async fn forget(service: &Service) {
    execute(&service.database, "DELETE FROM user_index").await;
    execute(&service.database, "DELETE FROM index_rebuilds").await;
    execute(&service.database, "UPDATE users SET index_version = 0").await;
}

/// Every entry.
async fn entries(service: &Service) -> BTreeSet<(i16, Uuid, Uuid)> {
    let connection = service.database.look().await;
    let sql = "SELECT version, digest, user_id FROM user_index";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("the rows");
    let column = |row: &sea_orm::QueryResult, index| row.try_get_by_index::<Uuid>(index).expect("an id");
    rows.iter().map(|row| (row.try_get_by_index(0).expect("a number"), column(row, 1), column(row, 2))).collect()
}

/// Runs the job's work until a pass is at its end.
async fn index_all(service: &Service) {
    let rebuild = rebuild(service).await;
    while !rebuild.run(service.clock.as_ref(), 3).await.expect("a round").is_done {}
}

#[tokio::test]
async fn users_without_entries_are_not_found_until_they_are_indexed() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let ada = created(&service, &client, &named("Ada", "Lovelace")).await;
    let bob = created(&service, &other, &named("Bob", "Lovelace")).await;
    let before = entries(&service).await;
    forget(&service).await;
    assert_eq!(found(&client, &[("q", "lovelace")]).await.1, 0);
    index_all(&service).await;
    assert_eq!(entries(&service).await, before);
    assert_eq!(found(&client, &[("q", "lovelace")]).await.0, [ada]);
    assert_eq!(found(&other, &[("q", "lovelace")]).await.0, [bob]);
}

#[tokio::test]
async fn rows_of_another_version_are_never_read_and_go_away_in_the_end() {
    let service = Service::start().await;
    let client = service.client().await;
    created(&service, &client, &named("Ada", "Lovelace")).await;
    let bob = created(&service, &client, &named("Bob", "Builder")).await;
    let own = entries(&service).await;
    let bob = match engine() {
        Engine::Postgres => format!("'{bob}'"),
        Engine::Sqlite => format!("X'{}'", bob.replace('-', "")),
    };
    for version in [0, 2] {
        let copy = format!(
            "INSERT INTO user_index SELECT client_id, {version}, digest, {bob} FROM user_index \
             WHERE version = 1 AND user_id <> {bob}"
        );
        execute(&service.database, &copy).await;
    }
    assert_eq!(found(&client, &[("q", "lovelace")]).await.1, 1);
    index_all(&service).await;
    let versions = |entries: BTreeSet<(i16, Uuid, Uuid)>| entries.into_iter().map(|(version, ..)| version).collect();
    let all: BTreeSet<i16> = versions(entries(&service).await);
    assert_eq!(all, [0, 1, 2].into(), "a program of the version before may still run");
    service.clock.advance(TimeDelta::hours(25));
    index_all(&service).await;
    let left: BTreeSet<_> = entries(&service).await.into_iter().filter(|(version, ..)| *version < 2).collect();
    assert_eq!(left, own, "that of a later version is not this program's to delete");
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_and_kills_in_the_middle_of_a_rebuild_lose_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(created(&service, &client, &named("Ada", &format!("Number{number}"))).await);
    }
    forget(&service).await;
    let indexing = rebuild(&service).await;
    let updates = ids.iter().enumerate().map(|(number, id)| {
        let client = client.clone();
        async move {
            let change = json!({"last_name": format!("Changed{number}"), "email": format!("u{number}@example.com")});
            assert_eq!(put(&client, id, &change).await.status, 200);
        }
    });
    let kills = async {
        for _ in 0..10 {
            let (indexing, clock) = (indexing.clone(), service.clock.clone());
            let round = tokio::spawn(async move { indexing.run(clock.as_ref(), 1).await });
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            round.abort();
            let _ = round.await;
        }
        index_all(&service).await;
    };
    tokio::join!(join_all(updates), kills);
    let after = entries(&service).await;
    for (number, id) in ids.iter().enumerate() {
        let email = format!("u{number}@example.com");
        assert_eq!(found(&client, &[("email", &email)]).await.0, std::slice::from_ref(id));
    }
    assert_eq!(found(&client, &[("q", "number"), ("limit", "1")]).await.1, 0, "no entry of what was changed is left");
    // The same as without the changes in between.
    forget(&service).await;
    index_all(&service).await;
    assert_eq!(entries(&service).await, after);
}
