//! Clients and their credentials.

use chrono::TimeDelta;
use kira_users::env::Env;
use kira_users::store::{ApiKeyOwner, StoreError};

use crate::harness::database::TestDatabase;
use crate::store::sample;

#[tokio::test]
async fn a_client_and_its_credential_read_back() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let (client, credential) = sample::client(&clock);
    store.insert_client(&client, &credential).await.expect("a new client");
    assert_eq!(store.find_client(client.id).await.expect("a read"), Some(client.clone()));
    assert_eq!(store.list_clients().await.expect("a read"), std::slice::from_ref(&client));
    assert_eq!(store.credentials_of(client.id).await.expect("a read"), [credential]);
    assert_eq!(store.find_client(clock.new_id()).await.expect("a read"), None);
}

#[tokio::test]
async fn a_client_whose_credential_is_refused_is_not_there() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let ((first, credential), (second, mut same_key)) = (sample::client(&clock), sample::client(&clock));
    store.insert_client(&first, &credential).await.expect("a new client");
    same_key.api_key_digest = credential.api_key_digest;
    let outcome = store.insert_client(&second, &same_key).await;
    assert!(matches!(outcome, Err(StoreError::Internal(_))), "{outcome:?}");
    assert_eq!(store.find_client(second.id).await.expect("a read"), None);
}

#[tokio::test]
async fn an_api_key_leads_to_its_client() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let (client, credential) = sample::client(&clock);
    store.insert_client(&client, &credential).await.expect("a new client");
    sample::stored_client(&store, &clock).await;
    let owner = ApiKeyOwner {
        client_id: client.id,
        role: client.role.clone(),
        client_disabled_at: None,
        credential_id: credential.id,
        expires_at: None,
    };
    assert_eq!(store.client_by_api_key(&credential.api_key_digest).await.expect("a read"), Some(owner));
    assert_eq!(store.client_by_api_key(&[0; 32]).await.expect("a read"), None);
}

#[tokio::test]
async fn a_rotation_lets_the_old_credentials_expire() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let (client, first) = sample::client(&clock);
    store.insert_client(&client, &first).await.expect("a new client");
    let bystander = sample::stored_client(&store, &clock).await;

    clock.advance(TimeDelta::minutes(1));
    let (second, early) = (sample::credential(&clock, client.id), clock.now() + TimeDelta::hours(1));
    assert!(store.rotate_client(client.id, &second, early).await.expect("a rotation"));
    clock.advance(TimeDelta::minutes(1));
    let (third, late) = (sample::credential(&clock, client.id), clock.now() + TimeDelta::hours(9));
    assert!(store.rotate_client(client.id, &third, late).await.expect("a rotation"));

    let credentials = store.credentials_of(client.id).await.expect("a read");
    let ends: Vec<_> = credentials.iter().map(|credential| (credential.id, credential.expires_at)).collect();
    assert_eq!(ends, [(third.id, None), (second.id, Some(late)), (first.id, Some(early))]);
    assert_eq!(store.credentials_of(bystander).await.expect("a read")[0].expires_at, None);
    let owner = store.client_by_api_key(&first.api_key_digest).await.expect("a read").expect("the key");
    assert_eq!(owner.expires_at, Some(early));
}

#[tokio::test]
async fn an_unknown_client_is_neither_rotated_nor_disabled() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let unknown = clock.new_id();
    let credential = sample::credential(&clock, unknown);
    assert!(!store.rotate_client(unknown, &credential, clock.now()).await.expect("an answer"));
    assert!(!store.disable_client(unknown, clock.now()).await.expect("an answer"));
    assert_eq!(database.count("client_credentials").await, 0);
}

#[tokio::test]
async fn a_client_is_disabled_once_and_keeps_the_time() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let (client, credential) = sample::client(&clock);
    store.insert_client(&client, &credential).await.expect("a new client");
    let first = clock.now();
    assert!(store.disable_client(client.id, first).await.expect("an answer"));
    clock.advance(TimeDelta::minutes(1));
    assert!(store.disable_client(client.id, clock.now()).await.expect("an answer"));
    assert_eq!(store.find_client(client.id).await.expect("a read").expect("the client").disabled_at, Some(first));
    let owner = store.client_by_api_key(&credential.api_key_digest).await.expect("a read").expect("the key");
    assert_eq!(owner.client_disabled_at, Some(first));
}
