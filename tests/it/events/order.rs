//! The order: an event that commits late is neither lost nor sent twice.

use kira_users::store::{Engine, EventFilter, Store};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};
use uuid::Uuid;

use crate::events::support::users;
use crate::harness::database::{ALL_EVENTS, engine};
use crate::harness::service::Service;

/// A copy of the event of a user, as another transaction of this service would write it.
fn copy(id: Uuid, user_id: &str, sequence: i64) -> String {
    let (id, user_id) = match engine() {
        Engine::Postgres => (format!("'{id}'"), format!("'{user_id}'")),
        Engine::Sqlite => (format!("x'{}'", id.simple()), format!("x'{}'", user_id.replace('-', ""))),
    };
    format!(
        "INSERT INTO outbox (id, client_id, user_id, kind, sequence, payload, created_at) \
         SELECT {id}, client_id, user_id, kind, {sequence}, payload, created_at FROM {ALL_EVENTS} \
         WHERE user_id = {user_id} AND sequence = 1"
    )
}

async fn insert(connection: &DatabaseConnection, id: Uuid, user_id: &str, sequence: i64) {
    connection.execute_unprepared(&copy(id, user_id, sequence)).await.expect("an event");
}

async fn listed(store: &Store, client_id: Uuid, after: i64) -> Vec<(i64, Uuid)> {
    store.assign_positions().await.expect("the database");
    let events = store.list_events(client_id, &EventFilter::default(), after, 1_000).await.expect("the database");
    events.into_iter().map(|event| (event.position, event.id)).collect()
}

#[tokio::test]
async fn an_event_of_a_transaction_that_was_open_during_a_read_comes_behind_what_was_read() {
    let service = Service::start().await;
    let client = service.client().await;
    let user_id = users(&client, 1).await.remove(0);
    let (slow_connection, fast_connection) = (service.database.look().await, service.database.look().await);
    let store = &service.running.resources.store;
    let mut first: Vec<_> = listed(store, client.id, 0).await.into_iter().map(|(_, id)| id).collect();

    let slow = slow_connection.begin().await.expect("a transaction");
    // The lowest id and the same time: by both the slow one would come first.
    slow.execute_unprepared(&copy(Uuid::from_u128(1), &user_id, 2)).await.expect("an event");
    if engine() == Engine::Postgres {
        // SQLite has one writer, so no writer overtakes another.
        insert(&fast_connection, Uuid::from_u128(2), &user_id, 3).await;
        first.push(Uuid::from_u128(2));
    }
    let before = listed(store, client.id, 0).await;
    let cursor = before.last().expect("an event").0;
    assert_eq!(before.iter().map(|(_, id)| *id).collect::<Vec<_>>(), first, "the open transaction holds nothing up");

    slow.commit().await.expect("a commit");
    let behind = listed(store, client.id, cursor).await;
    assert_eq!(behind, [(cursor + 1, Uuid::from_u128(1))], "it is not lost");
    assert_eq!(listed(store, client.id, 0).await, [before, behind].concat(), "nothing has moved");
}

#[tokio::test]
async fn several_readers_at_once_assign_each_event_one_position() {
    let service = Service::start().await;
    let client = service.client().await;
    let user_id = users(&client, 1).await.remove(0);
    let connection = service.database.look().await;
    let store = service.running.resources.store.clone();
    for round in 0..10_u128 {
        for number in 0..20_u128 {
            let sequence = i64::try_from(2 + round * 20 + number).expect("a small number");
            insert(&connection, Uuid::from_u128(1_000 - number - round * 20), &user_id, sequence).await;
        }
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.assign_positions().await.expect("the database") })
            })
            .collect();
        for reader in readers {
            reader.await.expect("no panic");
        }
    }
    let events = store.list_events(client.id, &EventFilter::default(), 0, 1_000).await.expect("the database");
    let positions: Vec<_> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=201).collect::<Vec<_>>());
    assert!(events.windows(2).all(|pair| pair[0].sequence < pair[1].sequence), "the order of the user's sequence");
}

#[tokio::test]
async fn a_backlog_of_many_events_gets_its_positions_by_one_call() {
    let service = Service::start().await;
    let client = service.client().await;
    let user_id = users(&client, 1).await.remove(0);
    let connection = service.database.look().await.begin().await.expect("a transaction");
    for number in 2..=2_500_i64 {
        let id = Uuid::from_u128(number.unsigned_abs().into());
        connection.execute_unprepared(&copy(id, &user_id, number)).await.expect("an event");
    }
    connection.commit().await.expect("a commit");
    let store = &service.running.resources.store;
    store.assign_positions().await.expect("the database");
    assert_eq!(store.last_position().await.expect("the database"), 2_500);
}
