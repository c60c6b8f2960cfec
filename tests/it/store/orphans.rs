//! The sweep of documents without a row: in a folder, or in the bucket that `KIRA_TEST_BUCKET_URL` names (in a build with
//! cloud stores).

use chrono::TimeDelta;
use kira_users::env::{Env, MockClock};
use kira_users::service::orphans::{Swept, sweep};
use kira_users::store::Store;
use kira_users::vault::documents::{DocumentError, DocumentStore};
use tempfile::TempDir;
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::store::sample;

async fn documents() -> (TempDir, DocumentStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let documents = installation_in(&folder, 1);
    (folder, documents)
}

/// The bucket under test; none where it is folders.
fn bucket() -> Option<String> {
    std::env::var("KIRA_TEST_BUCKET_URL").ok().filter(|url| !url.is_empty())
}

/// The documents of one of several installations in a folder, or in the part of the bucket that has its name.
fn installation_in(folder: &TempDir, number: u128) -> DocumentStore {
    let place = folder.path();
    let place = match (bucket(), place.file_name()) {
        (Some(bucket), Some(name)) => format!("{bucket}/{}", name.display()),
        _ => place.display().to_string(),
    };
    DocumentStore::open(&place, Uuid::from_u128(number)).expect("a place that can be used")
}

/// An upload that no row follows, as after a crash.
async fn upload(documents: &DocumentStore, clock: &MockClock) -> String {
    let key = documents.object_key(clock.now(), clock.new_id());
    documents.put(&key, b"sealed".to_vec()).await.expect("an upload");
    key
}

/// A user whose documents are uploaded.
async fn create(store: &Store, documents: &DocumentStore, clock: &MockClock) -> Vec<String> {
    let mut new = sample::user(clock, sample::stored_client(store, clock).await);
    for document in &mut new.documents {
        document.object_key = documents.object_key(clock.now(), document.id);
    }
    let keys: Vec<_> = new.documents.iter().map(|document| document.object_key.clone()).collect();
    for key in &keys {
        documents.put(key, b"sealed".to_vec()).await.expect("an upload");
    }
    store.create_user(new).await.expect("a new user");
    keys
}

/// The first sweep of a database, as at its first start.
async fn begin(store: &Store, documents: &DocumentStore, clock: &MockClock) {
    assert_eq!(sweep(store, documents, clock.now()).await.expect("a sweep"), Swept::default());
}

#[tokio::test]
async fn a_new_database_leaves_the_files_of_another_alone() {
    let database = TestDatabase::migrated().await;
    let ((folder, documents), store, clock) = (documents().await, database.store().await, sample::clock());
    let theirs = upload(&installation_in(&folder, 2), &clock).await;
    clock.advance(TimeDelta::hours(5));
    begin(&store, &documents, &clock).await;
    assert!(exists(&documents, &theirs).await);
}

#[tokio::test]
async fn two_live_databases_in_one_folder_remove_their_own_orphans_alone() {
    let databases = [TestDatabase::migrated().await, TestDatabase::migrated().await];
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), sample::clock());
    let stores = [databases[0].store().await, databases[1].store().await];
    let places = [installation_in(&folder, 1), installation_in(&folder, 2)];
    let mut orphans = Vec::new();
    let mut kept = Vec::new();
    for (store, place) in stores.iter().zip(&places) {
        begin(store, place, &clock).await;
        orphans.push(upload(place, &clock).await);
        kept.extend(create(store, place, &clock).await);
    }
    clock.advance(TimeDelta::hours(2));
    for (number, (store, place)) in stores.iter().zip(&places).enumerate() {
        assert_eq!(sweep(store, place, clock.now()).await.expect("a sweep"), Swept { hours: 2, orphans: 1 });
        assert!(!exists(place, &orphans[number]).await, "its own orphan goes");
        assert_eq!(exists(place, &orphans[1]).await, number == 0, "the other's waits for the other");
        for key in &kept {
            assert!(exists(place, key).await, "{key} stays");
        }
    }
}

async fn exists(documents: &DocumentStore, key: &str) -> bool {
    match documents.get(key).await {
        Ok(content) => content == b"sealed",
        Err(DocumentError::Missing) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_upload_without_a_row_is_removed_and_one_with_a_row_stays() {
    let database = TestDatabase::migrated().await;
    let ((_folder, documents), store, clock) = (documents().await, database.store().await, sample::clock());
    begin(&store, &documents, &clock).await;
    let orphan = upload(&documents, &clock).await;
    let kept = create(&store, &documents, &clock).await;
    clock.advance(TimeDelta::hours(2));
    assert_eq!(sweep(&store, &documents, clock.now()).await.expect("a sweep"), Swept { hours: 2, orphans: 1 });
    assert!(!exists(&documents, &orphan).await);
    for key in kept {
        assert!(exists(&documents, &key).await);
    }
}

#[tokio::test]
async fn an_upload_that_may_still_get_its_row_is_left_alone_until_it_is_too_old() {
    let database = TestDatabase::migrated().await;
    let ((_folder, documents), store, clock) = (documents().await, database.store().await, sample::clock());
    begin(&store, &documents, &clock).await;
    let young = upload(&documents, &clock).await;
    // The hour ends and one more passes, less a moment.
    let end = (clock.now() + TimeDelta::hours(1)).timestamp() / 3600 * 3600;
    let missing = TimeDelta::seconds(end + 3600 - clock.now().timestamp() - 1);
    for _ in 0..2 {
        assert_eq!(sweep(&store, &documents, clock.now()).await.expect("a sweep").orphans, 0);
        assert!(exists(&documents, &young).await);
        clock.advance(missing / 2);
    }
    clock.advance(TimeDelta::seconds(2));
    assert_eq!(sweep(&store, &documents, clock.now()).await.expect("a sweep").orphans, 1);
    assert!(!exists(&documents, &young).await);
}

#[tokio::test]
async fn each_hour_is_listed_once_from_the_oldest_on() {
    let database = TestDatabase::migrated().await;
    let ((_folder, documents), store, clock) = (documents().await, database.store().await, sample::clock());
    begin(&store, &documents, &clock).await;
    upload(&documents, &clock).await;
    clock.advance(TimeDelta::hours(3));
    upload(&documents, &clock).await;
    clock.advance(TimeDelta::hours(4));
    let now = clock.now();
    assert_eq!(sweep(&store, &documents, now).await.expect("a sweep"), Swept { hours: 7, orphans: 2 });
    assert_eq!(sweep(&store, &documents, now).await.expect("a sweep"), Swept::default());
    clock.advance(TimeDelta::hours(1));
    assert_eq!(sweep(&store, &documents, clock.now()).await.expect("a sweep"), Swept { hours: 1, orphans: 0 });
}

#[tokio::test]
async fn replicas_may_sweep_at_once() {
    let database = TestDatabase::migrated().await;
    let ((_folder, documents), store, clock) = (documents().await, database.store().await, sample::clock());
    begin(&store, &documents, &clock).await;
    for _ in 0..20 {
        upload(&documents, &clock).await;
    }
    let kept = create(&store, &documents, &clock).await;
    clock.advance(TimeDelta::hours(5));
    let other = database.store().await;
    let now = clock.now();
    let (one, two) = tokio::join!(sweep(&store, &documents, now), sweep(&other, &documents, now));
    assert!(one.expect("a sweep").orphans + two.expect("a sweep").orphans >= 20);
    assert!(exists(&documents, &kept[0]).await && exists(&documents, &kept[1]).await);
    assert_eq!(sweep(&store, &documents, now).await.expect("a sweep"), Swept::default());
}

#[tokio::test]
async fn what_an_interrupted_upload_left_in_the_folder_goes_too() {
    if bucket().is_some() {
        // A bucket shows nothing of an upload that did not end.
        return;
    }
    let database = TestDatabase::migrated().await;
    let ((folder, documents), store, clock) = (documents().await, database.store().await, sample::clock());
    begin(&store, &documents, &clock).await;
    let orphan = upload(&documents, &clock).await;
    let staged = folder.path().join(format!("{orphan}#1"));
    std::fs::write(&staged, b"half").expect("a staged file");
    clock.advance(TimeDelta::hours(3));
    sweep(&store, &documents, clock.now()).await.expect("a sweep");
    assert!(!staged.exists() && !staged.parent().expect("its hour").exists());
}

#[tokio::test]
async fn a_watermark_never_goes_back() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let (early, late) = (clock.now(), clock.now() + TimeDelta::hours(1));
    assert_eq!(store.watermark("sweep").await.expect("a read"), None);
    store.advance_watermark("sweep", late).await.expect("a write");
    store.advance_watermark("sweep", early).await.expect("a write");
    assert_eq!(store.watermark("sweep").await.expect("a read"), Some(late));
}

#[tokio::test]
async fn a_lease_is_taken_by_one_process_until_it_ends() {
    let database = TestDatabase::migrated().await;
    let (store, clock) = (database.store().await, sample::clock());
    let lease = async || {
        let now = clock.now();
        store.take_lease("a job", now, now + chrono::TimeDelta::minutes(1)).await.expect("an answer")
    };
    assert!(lease().await);
    assert!(!lease().await);
    clock.advance(chrono::TimeDelta::minutes(1));
    assert!(lease().await);
    assert!(!lease().await);
}
