//! A new master key: everything is sealed again under it, and the old one may go.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use kira_users::app::{self, Resources};
use kira_users::service::master_keys::{self, Rotation, usage};
use kira_users::store::SealedColumn;
use kira_users::telemetry::Metrics;
use kira_users::vault::{KeyRing, Vault};
use serde_json::json;
use strum::IntoEnumIterator as _;
use tokio::sync::oneshot;

use crate::harness::requests::{minimal, with_files};
use crate::harness::service::{Client, Service, config};
use crate::promises::support::{execute, id};

/// The harness's own key.
const OLD: &str = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

/// A service that sealed something of every kind under the old key, stopped; a client, and its users.
async fn used() -> (Service, Client, Vec<String>) {
    let service = Service::start_with(&[("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8")]).await;
    let client = service.client().await;
    let endpoint = json!({ "url": "http://127.0.0.1:9/hook" });
    let made = client.request(reqwest::Method::POST, "/v1/webhooks/endpoints").json(&endpoint).send().await;
    assert_eq!(made.expect("an answer").status(), 201);
    let mut users = Vec::new();
    for body in [minimal(), with_files(), minimal()] {
        users.push(id(&client.create(&body).await));
    }
    (service, client, users)
}

/// What a command with this ring has.
async fn resources(service: &Service, ring: &str) -> Resources {
    let env = service.clock.clone();
    let vault = Vault::new(KeyRing::parse(ring).expect("a ring"), env.clone());
    Resources { store: service.database.store().await, vault, env, metrics: Metrics::default() }
}

async fn rotate(resources: &Resources) -> Rotation {
    let Resources { store, vault, env, .. } = resources;
    master_keys::rotate(store, vault, env.as_ref(), |_, _| {}).await.expect("a rotation")
}

/// The keys that seal something.
async fn sealing(resources: &Resources) -> BTreeSet<String> {
    usage(&resources.store).await.expect("the usage").into_keys().collect()
}

#[tokio::test]
async fn after_a_rotation_everything_is_read_without_the_old_key() {
    let (service, client, users) = used().await;
    let both = resources(&service, &format!("{NEW},{OLD}")).await;
    assert_eq!(sealing(&both).await, BTreeSet::from(["test".to_owned()]));
    let before = usage(&both.store).await.expect("the usage");
    for column in [SealedColumn::UserKeys, SealedColumn::Secrets, SealedColumn::SigningKeys, SealedColumn::WebhookUrls]
    {
        assert!(before["test"].contains_key(<&str>::from(column)), "{column:?}");
    }
    let first = rotate(&both).await;
    assert_eq!((first.removable.len(), &first.needed[..]), (0, &["test".to_owned()][..]), "a process used it just now");
    assert_eq!(first.progress.resealed, before["test"].values().sum::<u64>());
    assert_eq!(sealing(&both).await, BTreeSet::from(["new".to_owned()]));
    service.clock.advance(TimeDelta::minutes(3));
    let second = rotate(&both).await;
    assert_eq!((second.progress.resealed, &second.removable[..]), (0, &["test".to_owned()][..]));
    let config = config(&service.database, &service.folder, &[("KIRA_MASTER_KEYS", NEW)]);
    let running = app::start(&config, service.clock.clone()).await.expect("a start without the old key");
    let mut client = client.at(&running).await;
    client.renew_token().await;
    for user in &users {
        assert_eq!(client.get(&format!("/v1/users/{user}")).await.status, 200);
    }
    assert_eq!(client.create(&minimal()).await.status, 201);
}

#[tokio::test]
async fn a_rotation_that_stops_half_way_leaves_both_keys_needed_and_goes_on() {
    let (service, _, _) = used().await;
    let both = resources(&service, &format!("{NEW},{OLD}")).await;
    let (stop, stopped) = oneshot::channel();
    let mut stop = Some(stop);
    let Resources { store, vault, env, .. } = &both;
    let rotation = master_keys::rotate(store, vault, env.as_ref(), |_, _| {
        if let Some(stop) = stop.take() {
            let _ = stop.send(());
        }
    });
    tokio::select! {
        biased;
        _ = stopped => {}
        _ = rotation => panic!("it stops after the first batch"),
    }
    assert_eq!(sealing(&both).await, BTreeSet::from(["new".to_owned(), "test".to_owned()]));
    for alone in [OLD, NEW] {
        let config = config(&service.database, &service.folder, &[("KIRA_MASTER_KEYS", alone)]);
        assert!(app::start(&config, service.clock.clone()).await.is_err(), "{alone}");
    }
    rotate(&both).await;
    assert_eq!(sealing(&both).await, BTreeSet::from(["new".to_owned()]));
}

#[tokio::test]
async fn a_value_that_does_not_open_is_left_and_keeps_the_old_key() {
    let (service, _, users) = used().await;
    let flipped = match service.database.url().starts_with("postgres") {
        true => format!(
            "UPDATE users SET wrapped_key = set_byte(wrapped_key, 30, get_byte(wrapped_key, 30) # 1) WHERE id = '{}'",
            users[0]
        ),
        false => format!(
            "UPDATE users SET wrapped_key = CAST(substr(wrapped_key, 1, 30) || x'00' || substr(wrapped_key, 32) AS BLOB) \
             WHERE hex(id) = '{}'",
            users[0].replace('-', "").to_uppercase()
        ),
    };
    execute(&service.database, &flipped).await;
    service.clock.advance(TimeDelta::minutes(3));
    let both = resources(&service, &format!("{NEW},{OLD}")).await;
    let rotation = rotate(&both).await;
    assert_eq!((rotation.progress.unreadable, &rotation.needed[..]), (1, &["test".to_owned()][..]));
    let left = usage(&both.store).await.expect("the usage");
    assert_eq!(left["test"].values().sum::<u64>(), 1);
}

#[test]
fn every_column_has_a_name_for_people() {
    let names: BTreeSet<&str> = SealedColumn::iter().map(Into::into).collect();
    assert_eq!(names.len(), SealedColumn::iter().count());
}
