//! Connections after work that was not done to its end.

use std::time::Duration;

use futures_util::FutureExt as _;
use kira_users::store::{Creation, StoreOptions, Update};

use crate::harness::database::TestDatabase;
use crate::store::{sample, updates};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_cancelled_midway_leaves_a_usable_connection() {
    let database = TestDatabase::migrated().await;
    let store = database.store_with(StoreOptions { max_connections: 2, ..StoreOptions::default() }).await;
    let clock = sample::clock();
    let client_id = sample::stored_client(&store, &clock).await;
    for round in 0..60_u64 {
        let new = sample::user(&clock, client_id);
        let id = new.id;
        assert_eq!(store.create_user(new).await.expect("a create"), Creation::Inserted);
        let read = store.find_user(client_id, id).await.expect("a read").expect("it was acknowledged");
        let change = || store.update_user(&read, updates::update(&clock));
        // At another place in each round: from the first wait on to beyond the commit.
        let cut = tokio::time::timeout(Duration::from_micros(100 * round), change());
        let is_acknowledged = matches!(cut.await, Ok(Ok(Update::Written { .. })));
        drop(Box::pin(change()).now_or_never());
        let now = store.find_user(client_id, id).await.expect("a read").expect("it is there");
        assert!(!is_acknowledged || now.version > read.version, "what was acknowledged can be read");
    }
    let other = database.store().await;
    assert_eq!(database.count("users").await, 60);
    assert!(other.list_clients().await.is_ok());
}
