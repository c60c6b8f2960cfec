//! The keys of the service itself.

use chrono::TimeDelta;
use futures_util::future::join_all;
use kira_users::env::Env;

use crate::harness::database::TestDatabase;
use crate::store::sample;

#[tokio::test]
async fn a_new_signing_key_lets_the_others_retire() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let (early, late) = (clock.now() + TimeDelta::hours(1), clock.now() + TimeDelta::hours(2));
    for (kid, retire) in [("one", None), ("two", None), ("three", Some(early)), ("four", Some(late))] {
        clock.advance(TimeDelta::seconds(1));
        store.insert_signing_key(&sample::signing_key(&clock, kid), retire).await.expect("a new key");
    }
    let keys = store.signing_keys().await.expect("a read");
    let ends: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.retires_at)).collect();
    assert_eq!(ends, [("one", Some(early)), ("two", Some(early)), ("three", Some(late)), ("four", None)]);
    assert_eq!(keys[3], sample::signing_key(&clock, "four"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_at_once_end_with_one_signing_key() {
    let database = TestDatabase::migrated().await;
    let clock = sample::clock();
    let mut starts = Vec::new();
    for number in 0..6 {
        let (store, key) = (database.store().await, sample::signing_key(&clock, &format!("key-{number}")));
        starts.push(tokio::spawn(async move { store.ensure_first_signing_key(&key).await }));
    }
    for start in join_all(starts).await {
        start.expect("no panic").expect("a start");
    }
    assert_eq!(database.count("signing_keys").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_at_once_share_one_secret() {
    let database = TestDatabase::migrated().await;
    let now = sample::clock().now();
    let mut starts = Vec::new();
    for number in 0..6 {
        let store = database.store().await;
        starts.push(tokio::spawn(async move { store.ensure_secret("pepper", vec![number; 32], now).await }));
    }
    let mut secrets: Vec<_> =
        join_all(starts).await.into_iter().map(|start| start.expect("no panic").expect("a secret")).collect();
    secrets.dedup();
    assert_eq!(secrets.len(), 1);
    let store = database.store().await;
    assert_eq!(store.ensure_secret("pepper", vec![99], now).await.expect("a secret"), secrets[0]);
    assert_eq!(store.ensure_secret("other", vec![99], now).await.expect("a secret"), [99]);
}
