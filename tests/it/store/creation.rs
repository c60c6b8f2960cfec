//! Creating and reading users.

use futures_util::future::join_all;
use kira_users::env::Env;
use kira_users::store::{Creation, IdempotencyRecord, StoreError};

use crate::harness::database::{ALL_EVENTS, TestDatabase};
use crate::store::sample;

#[tokio::test]
async fn what_is_read_is_what_was_written() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let new = sample::user(&clock, client_id);
    assert_eq!(store.create_user(new.clone()).await.expect("a new user"), Creation::Inserted);

    let read = store.find_user(client_id, new.id).await.expect("a read").expect("the user");
    assert_eq!((read.id, read.client_id), (new.id, client_id));
    assert_eq!(
        (read.kind.as_str(), read.category.as_deref(), read.status.as_str()),
        ("individual", Some("usa"), "CREATED")
    );
    assert_eq!((read.attempt_id, read.verification_triggered), (new.verification.map(|it| it.attempt_id), true));
    assert_eq!((read.missing, read.wrapped_key, read.profile), (new.missing, new.wrapped_key, new.profile));
    assert_eq!((read.version, read.created_at, read.updated_at), (1, new.created_at, new.created_at));
}

#[tokio::test]
async fn a_user_without_documents_job_or_category_is_whole_too() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let mut new = sample::user(&clock, sample::stored_client(&store, &clock).await);
    (new.documents, new.verification, new.category) = (Vec::new(), None, None);
    assert_eq!(store.create_user(new.clone()).await.expect("a new user"), Creation::Inserted);
    let read = store.find_user(new.client_id, new.id).await.expect("a read").expect("the user");
    assert_eq!((read.category, read.attempt_id), (None, None));
    assert_eq!((database.count("documents").await, database.count("jobs").await), (0, 0));
}

#[tokio::test]
async fn another_clients_user_is_not_found() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let new = sample::user(&clock, sample::stored_client(&store, &clock).await);
    let other_client = sample::stored_client(&store, &clock).await;
    store.create_user(new.clone()).await.expect("a new user");
    assert_eq!(store.find_user(other_client, new.id).await.expect("a read"), None);
    assert_eq!(store.find_user(new.client_id, clock.new_id()).await.expect("a read"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_creates_with_one_key_one_inserts_and_the_others_get_its_claim() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let key = clock.new_id();
    let creates = (0..64).map(|_| {
        let (store, mut new) = (store.clone(), sample::user(&clock, client_id));
        new.claim.key = key;
        tokio::spawn(async move { (new.id, store.create_user(new).await.expect("an outcome")) })
    });
    let outcomes: Vec<_> = join_all(creates).await.into_iter().map(|outcome| outcome.expect("no panic")).collect();

    let inserted: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == Creation::Inserted).collect();
    assert_eq!(inserted.len(), 1);
    let claim = IdempotencyRecord { fingerprint: [3; 64], user_id: inserted[0].0, resource_id: None, outcome: None };
    assert_eq!(outcomes.iter().filter(|(_, outcome)| *outcome == Creation::Claimed(claim.clone())).count(), 63);
    for (table, rows) in [("users", 1), ("documents", 2), ("jobs", 1), (ALL_EVENTS, 1), ("idempotency_keys", 1)] {
        assert_eq!(database.count(table).await, rows, "{table}");
    }
}

#[tokio::test]
async fn a_claim_is_found_where_it_was_made_and_nowhere_else() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let new = sample::user(&clock, sample::stored_client(&store, &clock).await);
    let scope = sample::scope_of(&new);
    assert_eq!(store.find_claim(&scope).await.expect("a read"), None);
    store.create_user(new.clone()).await.expect("a new user");
    let claim = IdempotencyRecord { fingerprint: [3; 64], user_id: new.id, resource_id: None, outcome: None };
    assert_eq!(store.find_claim(&scope).await.expect("a read"), Some(claim));

    let mut same_key = sample::user(&clock, sample::stored_client(&store, &clock).await);
    same_key.claim.key = new.claim.key;
    assert_eq!(store.find_claim(&sample::scope_of(&same_key)).await.expect("a read"), None);
    assert_eq!(store.create_user(same_key).await.expect("another client's key"), Creation::Inserted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_create_that_fails_harms_no_neighbour() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let first = sample::user(&clock, client_id);
    store.create_user(first.clone()).await.expect("a new user");

    let creates = (0..40).map(|number| {
        let (store, mut new) = (store.clone(), sample::user(&clock, client_id));
        let broken = number % 4 == 0;
        if broken {
            // Found by the last insert but one: the inserts before it must be rolled back.
            new.event.id = first.event.id;
        }
        tokio::spawn(async move { (broken, sample::scope_of(&new), store.create_user(new).await) })
    });
    for outcome in join_all(creates).await {
        let (broken, scope, outcome) = outcome.expect("no panic");
        if broken {
            assert!(matches!(outcome, Err(StoreError::Internal(_))), "{outcome:?}");
        } else {
            assert_eq!(outcome.expect("a new user"), Creation::Inserted);
        }
        assert_eq!(store.find_claim(&scope).await.expect("a read").is_some(), !broken);
    }
    for (table, rows) in [("users", 31), ("documents", 62), ("jobs", 31), (ALL_EVENTS, 31), ("idempotency_keys", 31)] {
        assert_eq!(database.count(table).await, rows, "{table}");
    }
}

#[tokio::test]
async fn a_user_of_an_unknown_client_is_refused() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let outcome = store.create_user(sample::user(&clock, clock.new_id())).await;
    assert!(matches!(outcome, Err(StoreError::Internal(_))), "{outcome:?}");
    assert_eq!(database.count("idempotency_keys").await, 0);
}

#[tokio::test]
async fn an_error_shows_no_value_of_a_row() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let [mut first, mut second] = [(); 2].map(|()| sample::user(&clock, client_id));
    first.documents[0].object_key = "planted-value".to_owned();
    second.id = first.id;
    let id = first.id.to_string();
    store.create_user(first).await.expect("a new user");
    let error = store.create_user(second).await.expect_err("an identifier twice");
    let shown = format!("{error} {error:?} {}", std::error::Error::source(&error).expect("a cause"));
    // Which table of a user meets its row first is the engine's choice.
    let names_a_table = ["users", "user_history"].iter().any(|table| shown.contains(table));
    assert!(names_a_table && !shown.contains("planted") && !shown.contains(&id), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_keeps_every_create_that_was_acknowledged() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let client_id = sample::stored_client(&store, &clock).await;
    let creates: Vec<_> = (0..50)
        .map(|_| {
            let (store, new) = (store.clone(), sample::user(&clock, client_id));
            tokio::spawn(async move { (new.id, store.create_user(new).await) })
        })
        .collect();
    store.close().await;
    let reopened = database.store().await;
    for outcome in join_all(creates).await {
        let (id, outcome) = outcome.expect("no panic");
        let found = reopened.find_user(client_id, id).await.expect("a read").is_some();
        match outcome {
            Ok(_) => assert!(found),
            Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}"),
        }
    }
}
