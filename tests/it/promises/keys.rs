//! The master keys: without those that sealed the data the service does not start.

use std::sync::Arc;

use kira_users::app::{self, AppError, Running};
use kira_users::config::Config;
use kira_users::env::MockClock;
use kira_users::store::Engine;

use crate::harness::database::{TestDatabase, engine};
use crate::harness::requests::{minimal, with_files};
use crate::harness::service::{BEGINNING, Client, Service, config};
use crate::promises::support::{execute, id};

/// The harness's own key.
const TEST: &str = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const OTHER_TEST: &str = "test:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

/// The user of a service that ran once, and stopped.
async fn used() -> (Service, Client, String) {
    let service = Service::start().await;
    let client = service.client().await;
    let user = id(&client.create(&with_files()).await);
    (service, client, user)
}

async fn start(config: &Config, service: &Service) -> Result<Running, AppError> {
    app::start(config, service.clock.clone()).await
}

async fn refusal(service: &Service, keys: &str) -> String {
    let config = config(&service.database, &service.folder, &[("KIRA_MASTER_KEYS", keys)]);
    start(&config, service).await.err().expect("a refusal to start").to_string()
}

async fn has(running: &Running, client: &Client, user: &str) -> bool {
    client.at(running).await.get(&format!("/v1/users/{user}")).await.status == 200
}

#[tokio::test]
async fn without_the_key_that_sealed_the_data_the_service_names_it_and_does_not_start() {
    let (service, _, _) = used().await;
    let refused = refusal(&service, NEW).await;
    assert!(refused.contains("\"test\" is missing"), "{refused}");
    // The refusal changed nothing: with its key the service starts.
    let config = config(&service.database, &service.folder, &[]);
    assert!(start(&config, &service).await.is_ok());
}

#[tokio::test]
async fn other_bytes_under_a_known_name_are_refused_by_that_name() {
    let (service, _, _) = used().await;
    for keys in [OTHER_TEST.to_owned(), format!("{NEW},{OTHER_TEST}")] {
        let refused = refusal(&service, &keys).await;
        assert!(refused.contains("\"test\"") && refused.contains("its bytes differ"), "{refused}");
    }
}

#[tokio::test]
async fn with_two_keys_the_first_seals_and_what_the_other_sealed_is_still_read() {
    let (service, client, old_user) = used().await;
    let both = format!("{NEW},{TEST}");
    let config = config(&service.database, &service.folder, &[("KIRA_MASTER_KEYS", &both)]);
    let running = start(&config, &service).await.expect("a start with both");
    let client = client.at(&running).await;
    assert!(has(&running, &client, &old_user).await, "what the old key sealed");
    let new_user = id(&client.create(&minimal()).await);
    assert!(has(&running, &client, &new_user).await, "what the new key sealed");
    // Each is needed from now on.
    let refused = refusal(&service, NEW).await;
    assert!(refused.contains("\"test\" is missing"), "{refused}");
    let refused = refusal(&service, TEST).await;
    assert!(refused.contains("\"new\" is missing"), "{refused}");
    // Their order decides which one seals, not whether they open.
    let turned = format!("{TEST},{NEW}");
    let config = crate::harness::service::config(&service.database, &service.folder, &[("KIRA_MASTER_KEYS", &turned)]);
    let running = start(&config, &service).await.expect("a start with both, turned");
    assert!(has(&running, &client, &old_user).await && has(&running, &client, &new_user).await);
}

/// A service that made its own key file, which is gone now: the service, a client, its user, and what was in the file.
async fn without_key_file() -> Option<(Service, Client, String, Vec<u8>)> {
    if engine() == Engine::Postgres {
        // A server's keys must be given: there is no key file.
        return None;
    }
    let clock = Arc::new(MockClock::at(BEGINNING.parse().expect("a time")));
    let (database, folder) = (TestDatabase::empty().await, tempfile::tempdir().expect("a folder"));
    let service = Service::start_on(database, folder, clock, &[("KIRA_MASTER_KEYS", "")]).await;
    let client = service.client().await;
    let user = id(&client.create(&minimal()).await);
    let file = service.folder.path().join("master.keys");
    let content = std::fs::read(&file).expect("a key file was made");
    std::fs::remove_file(&file).expect("it is removed");
    Some((service, client, user, content))
}

async fn assert_key_file_is_asked_for(service: &Service) {
    let refused = refusal(service, "").await;
    assert!(refused.contains("master.keys is missing") && refused.contains("master key(s)"), "{refused}");
    assert!(!service.folder.path().join("master.keys").exists(), "a new key would not open the data");
}

#[tokio::test]
async fn a_missing_key_file_of_existing_data_is_named_and_not_replaced() {
    let Some((service, client, user, content)) = without_key_file().await else { return };
    assert_key_file_is_asked_for(&service).await;
    std::fs::write(service.folder.path().join("master.keys"), content).expect("it is restored");
    let config = config(&service.database, &service.folder, &[("KIRA_MASTER_KEYS", "")]);
    let running = start(&config, &service).await.expect("a start with the restored file");
    assert!(has(&running, &client, &user).await);
}

#[tokio::test]
async fn a_key_file_that_is_gone_before_an_upgrade_is_named_too() {
    let Some((service, ..)) = without_key_file().await else { return };
    // As if the program knew a migration that the database has not seen.
    execute(&service.database, "DELETE FROM seaql_migrations").await;
    assert_key_file_is_asked_for(&service).await;
}
