//! Changes of a stored user.

use kira_users::domain::event::{EventKind, EventPayload};
use kira_users::domain::status::Status;
use kira_users::domain::user_type::UserType;
use kira_users::env::{Env, MockClock};
use kira_users::service::orphans::sweep;
use kira_users::store::{IndexChange, NewDocument, NewEvent, Update, UserRecord, UserUpdate, VerificationChange};
use kira_users::vault::documents::DocumentStore;
use serde_json::json;
use uuid::Uuid;

use crate::harness::database::{ALL_EVENTS, TestDatabase};
use crate::store::sample;

/// A change that touches nothing but the profile.
pub(crate) fn update(clock: &MockClock) -> UserUpdate {
    UserUpdate {
        claim: None,
        category: Some("international"),
        missing: json!({}),
        profile: vec![9; 100],
        updated_at: clock.now(),
        documents: Vec::new(),
        removed: Vec::new(),
        verification: None,
        fields: vec!["email".to_owned()],
        events: vec![NewEvent {
            id: clock.new_id(),
            kind: EventKind::UserUpdated,
            payload: EventPayload::new(UserType::Individual, Status::Created),
        }],
        index: IndexChange::default(),
    }
}

#[tokio::test]
async fn a_change_is_written_onto_the_version_it_was_worked_out_from_alone() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let new = sample::user(&clock, sample::stored_client(&store, &clock).await);
    store.create_user(new.clone()).await.expect("a new user");
    let read = store.find_user(new.client_id, new.id).await.expect("a read").expect("the user");
    let written = store.update_user(&read, update(&clock)).await.expect("a change");
    assert_eq!(written, Update::Written { version: 2, objects: Vec::new() });
    assert_eq!(store.update_user(&read, update(&clock)).await.expect("an outcome"), Update::Conflict);
    let now = store.find_user(new.client_id, new.id).await.expect("a read").expect("the user");
    assert_eq!((now.version, now.profile.len(), now.category.as_deref()), (2, 100, Some("international")));
    assert_eq!((&now.status, now.attempt_id, now.verification_triggered), (&read.status, read.attempt_id, true));
    // A status that moved without the version is a change as well.
    let stale = UserRecord { status: "REVIEW".to_owned(), ..now.clone() };
    assert_eq!(store.update_user(&stale, update(&clock)).await.expect("an outcome"), Update::Conflict);
    let stale = UserRecord { attempt_id: Some(Uuid::nil()), ..now };
    assert_eq!(store.update_user(&stale, update(&clock)).await.expect("an outcome"), Update::Conflict);
    assert_eq!(database.count(ALL_EVENTS).await, 2);
}

#[tokio::test]
async fn another_clients_user_cannot_be_changed() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let new = sample::user(&clock, sample::stored_client(&store, &clock).await);
    store.create_user(new.clone()).await.expect("a new user");
    let read = store.find_user(new.client_id, new.id).await.expect("a read").expect("the user");
    let stolen = UserRecord { client_id: sample::stored_client(&store, &clock).await, ..read };
    assert_eq!(store.update_user(&stolen, update(&clock)).await.expect("an outcome"), Update::Conflict);
}

#[tokio::test]
async fn an_attempt_with_an_outcome_keeps_it_and_an_open_one_is_ended() {
    for (state, expected) in [("running", "superseded"), ("verified", "verified")] {
        let database = TestDatabase::migrated().await;
        let (store, clock) = (database.store().await, sample::clock());
        let mut new = sample::user(&clock, sample::stored_client(&store, &clock).await);
        if let Some(verification) = &mut new.verification {
            verification.state = state;
        }
        store.create_user(new.clone()).await.expect("a new user");
        let read = store.find_user(new.client_id, new.id).await.expect("a read").expect("the user");
        let mut next = sample::user(&clock, new.client_id).verification.expect("a verification");
        next.trigger = "update";
        let verification = VerificationChange {
            status: "VERIFYING",
            abandoned: "superseded",
            finished: &["verified", "rejected", "superseded"],
            started: Some(next.clone()),
        };
        let change = UserUpdate { verification: Some(verification), ..update(&clock) };
        store.update_user(&read, change).await.expect("a change");
        let now = store.find_user(new.client_id, new.id).await.expect("a read").expect("the user");
        assert_eq!((now.status.as_str(), now.attempt_id), ("VERIFYING", Some(next.attempt_id)));
        let ended = format!("verification_attempts WHERE state = '{expected}' AND trigger = 'create'");
        assert_eq!(database.count(&ended).await, 1, "{state}");
        assert_eq!(database.count("jobs").await, 2, "the first one's job finds nothing left to do");
    }
}

#[tokio::test]
async fn the_content_of_a_removed_document_goes_even_if_the_request_dies_after_its_commit() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let folder = tempfile::tempdir().expect("a folder");
    let documents = DocumentStore::open(&folder.path().display().to_string(), Uuid::from_u128(1)).expect("a folder");
    let mut new = sample::user(&clock, sample::stored_client(&store, &clock).await);
    for document in &mut new.documents {
        document.object_key = documents.object_key(clock.now(), document.id);
        documents.put(&document.object_key, b"sealed".to_vec()).await.expect("an upload");
    }
    store.create_user(new.clone()).await.expect("a new user");
    let [gone, kept] = new.documents.as_slice() else { panic!("two documents") };
    let read = store.find_user(new.client_id, new.id).await.expect("a read").expect("the user");
    let added = NewDocument { id: clock.new_id(), object_key: "sample/added".to_owned() };
    let change = UserUpdate { documents: vec![added], removed: vec![gone.id, Uuid::nil()], ..update(&clock) };
    let Update::Written { objects, .. } = store.update_user(&read, change).await.expect("a change") else {
        panic!("the change is written")
    };
    assert_eq!(objects, std::slice::from_ref(&gone.object_key));
    assert_eq!((database.count("documents").await, database.count("objects_to_delete").await), (2, 1));
    // The request dies here. Its upload is long past the hours that the sweep lists.
    sweep(&store, &documents, clock.now()).await.expect("a sweep");
    assert!(documents.get(&gone.object_key).await.is_err());
    assert!(documents.get(&kept.object_key).await.is_ok());
    assert_eq!(database.count("objects_to_delete").await, 0);
}
