//! Every call that changes something takes an idempotency key, and keeps its promise.

use futures_util::future::join_all;
use kira_users::contract::DESCRIPTORS;
use kira_users::contract::v1;
use kira_users::contract::v1::webhooks_service_client::WebhooksServiceClient;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value as Option_};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::receiver::Receiver;
use crate::harness::service::{Answer, Client, is_replayed};
use crate::updates::support::send;
use crate::webhooks::support::World;

/// The calls that are not made with GET and take no key, each with its reason.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("BatchCreateUsers", "each of its elements has a key of its own"),
    ("ValidateUser", "changes nothing"),
    ("CreateToken", "changes nothing that is stored"),
    ("ReceiveVerificationResult", "the vendor's own id names the result, and a late or repeated one changes nothing"),
];

/// A member of an option of a method or a field.
fn option(pool: &DescriptorPool, options: &DynamicMessage, extension: &str, member: &str) -> Option<Option_> {
    let extension = pool.get_extension_by_name(extension).expect("an option");
    let shape = options.get_extension(&extension).into_owned();
    shape.as_message().and_then(|shape| shape.get_field_by_name(member)).map(|value| value.into_owned())
}

fn is_read(pool: &DescriptorPool, method: &MethodDescriptor) -> bool {
    let get = option(pool, &method.options(), "google.api.http", "get");
    get.and_then(|path| path.as_str().map(|path| !path.is_empty())).unwrap_or_default()
}

fn takes_a_key(pool: &DescriptorPool, method: &MethodDescriptor) -> bool {
    let Some(field) = method.input().get_field_by_name("idempotency_key") else { return false };
    let header = option(pool, &field.options(), "kira.api.v1.field", "header");
    header.is_some_and(|name| name.as_str() == Some("idempotency-key"))
}

#[test]
fn every_call_that_changes_something_takes_a_key() {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("a descriptor set");
    let ours = pool.services().filter(|service| service.package_name() == "kira.users.v1");
    let methods: Vec<_> = ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    let keyless = methods.iter().filter(|method| !is_read(&pool, method) && !takes_a_key(&pool, method));
    let mut names: Vec<_> = keyless.map(|method| method.name().to_owned()).collect();
    names.sort();
    let mut expected: Vec<_> = EXCEPTIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    expected.sort();
    assert_eq!(names, expected);
    assert!(methods.iter().filter(|method| takes_a_key(&pool, method)).count() > 20);
}

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    call(client, Method::POST, path, key, body).await
}

async fn call(client: &Client, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    send(client, method, path, &[("idempotency-key", key)], body).await
}

fn key() -> String {
    Uuid::new_v4().to_string()
}

fn replayed(answer: &Answer) -> bool {
    assert!(answer.status < 300, "{}", answer.text);
    answer.header("idempotent-replayed") == Some("true")
}

fn is_reused(answer: &Answer) {
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("idempotency_key_reused")));
}

const ENDPOINTS: &str = "/v1/webhooks/endpoints";

/// An endpoint with a delivery that it has taken; their ids.
async fn delivered(world: &World, receiver: &Receiver) -> (String, String) {
    let endpoint = world.endpoint(receiver, json!({})).await;
    world.user().await;
    world.drain().await;
    let delivery = world.deliveries("").await[0]["id"].as_str().expect("an id").to_owned();
    (endpoint, delivery)
}

#[tokio::test]
async fn an_endpoint_is_made_once_and_the_repetition_has_its_secret() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let (key, body) = (key(), json!({"url": receiver.url()}));
    let first = post(&world.client, ENDPOINTS, &key, &body).await;
    assert_eq!((first.status, replayed(&first)), (201, false));
    let again = post(&world.client, ENDPOINTS, &key, &body).await;
    assert_eq!((again.status, replayed(&again), again.json()), (200, true, first.json()));
    assert!(again.json()["secret"].as_str().expect("a secret").starts_with("whsec_"));
    assert_eq!(world.service.database.count("webhook_endpoints").await, 1);
    is_reused(&post(&world.client, ENDPOINTS, &key, &json!({"url": format!("{}/x", receiver.url())})).await);
    // The secret signs; it is in no row.
    world.user().await;
    world.drain().await;
    let arrived = receiver.arrived().remove(0);
    let secret = first.json()["secret"].as_str().expect("a secret").to_owned();
    let signature = kira_users::webhook::signature::EndpointSecret::new(secret.clone()).sign_body(&arrived.body);
    assert_eq!(arrived.headers["x-signature-sha256"], signature);
    let claims = "SELECT CAST(outcome AS TEXT) FROM idempotency_keys WHERE outcome IS NOT NULL";
    assert!(crate::updates::support::texts(&world.service, claims).await.iter().all(|row| !row.contains(&secret)));
    // Another client's key is another, and so is another key.
    let other = world.service.client().await;
    let theirs = post(&other, ENDPOINTS, &key, &body).await;
    assert!(!replayed(&theirs) && theirs.json()["secret"] != first.json()["secret"]);
}

#[tokio::test]
async fn a_refused_endpoint_leaves_its_key_free() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let key = key();
    assert_eq!(post(&world.client, ENDPOINTS, &key, &json!({"url": "ftp://x"})).await.status, 400);
    let taken = world.endpoint(&receiver, json!({})).await;
    assert_eq!(post(&world.client, ENDPOINTS, &key, &json!({"url": receiver.url()})).await.status, 400);
    let answer = call(&world.client, Method::DELETE, &format!("{ENDPOINTS}/{taken}"), &key, &json!({})).await;
    assert!(!replayed(&answer));
    assert!(!replayed(&post(&world.client, ENDPOINTS, &key, &json!({"url": receiver.url()})).await));
}

#[tokio::test]
async fn a_registration_is_made_once() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let (key, path) = (key(), "/webhooks/register");
    let body = json!({"client_uuid": world.client.id, "webhook_url": receiver.url()});
    let first = post(&world.client, path, &key, &body).await;
    assert!(!replayed(&first));
    let again = post(&world.client, path, &key, &body).await;
    assert!(replayed(&again) && again.json() == first.json());
    // Registered again under another key, the URL has another secret, and the first call does not undo that.
    let second_key = self::key();
    let second = post(&world.client, path, &second_key, &body).await;
    assert!(!replayed(&second) && second.json()["secret"] != first.json()["secret"]);
    assert!(replayed(&post(&world.client, path, &second_key, &body).await));
    assert_eq!(post(&world.client, path, &key, &body).await.json(), first.json());
    world.user().await;
    world.drain().await;
    let secret = second.json()["secret"].as_str().expect("a secret").to_owned();
    let arrived = receiver.arrived().remove(0);
    let signature = kira_users::webhook::signature::EndpointSecret::new(secret).sign_body(&arrived.body);
    assert_eq!(arrived.headers["x-signature-sha256"], signature);
}

#[tokio::test]
async fn an_endpoint_is_changed_and_deleted_once() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let path = format!("{ENDPOINTS}/{}", world.endpoint(&receiver, json!({})).await);
    let (key, disable) = (key(), json!({"enabled": false}));
    assert!(!replayed(&call(&world.client, Method::PATCH, &path, &key, &disable).await));
    assert!(!replayed(&call(&world.client, Method::PATCH, &path, &self::key(), &json!({"enabled": true})).await));
    // A late repetition does not disable it again, and shows it as it is.
    let again = call(&world.client, Method::PATCH, &path, &key, &disable).await;
    assert!(replayed(&again) && again.json()["enabled"] == json!(true));
    is_reused(&call(&world.client, Method::PATCH, &path, &key, &json!({"ordered": true})).await);
    let key = self::key();
    let first = call(&world.client, Method::DELETE, &path, &key, &json!({})).await;
    assert!(!replayed(&first));
    let again = call(&world.client, Method::DELETE, &path, &key, &json!({})).await;
    assert!(replayed(&again) && again.json() == first.json());
    assert_eq!(call(&world.client, Method::DELETE, &path, &self::key(), &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_secret_is_rotated_once() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let path = format!("{ENDPOINTS}/{}:rotateSecret", world.endpoint(&receiver, json!({})).await);
    let key = key();
    let first = post(&world.client, &path, &key, &json!({})).await;
    assert!(!replayed(&first));
    world.advance(chrono::TimeDelta::seconds(5));
    let again = post(&world.client, &path, &key, &json!({})).await;
    assert!(replayed(&again));
    assert_eq!(again.json(), first.json());
    is_reused(&post(&world.client, &path, &key, &json!({"overlap_seconds": 5})).await);
    let second = post(&world.client, &path, &self::key(), &json!({})).await;
    assert_ne!(second.json()["secret"], first.json()["secret"]);
}

#[tokio::test]
async fn a_test_is_sent_once_even_if_the_endpoint_is_disabled_meanwhile() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let endpoint = world.endpoint(&receiver, json!({})).await;
    let (path, key) = (format!("{ENDPOINTS}/{endpoint}:test"), key());
    let first = post(&world.client, &path, &key, &json!({})).await;
    assert_eq!((first.status, replayed(&first)), (202, false));
    world.send(Method::PATCH, &format!("{ENDPOINTS}/{endpoint}"), json!({"enabled": false})).await;
    let again = post(&world.client, &path, &key, &json!({})).await;
    assert!(replayed(&again));
    assert_eq!(again.json(), first.json());
    assert_eq!(world.deliveries("").await.len(), 1);
}

#[tokio::test]
async fn deliveries_are_sent_again_once() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let (endpoint, delivery) = delivered(&world, &receiver).await;
    let one = format!("/v1/webhooks/deliveries/{delivery}:replay");
    let all = format!("{ENDPOINTS}/{endpoint}:replay");
    for (path, body) in [(one, json!({})), (all, json!({"delivered_too": true}))] {
        let (key, before) = (key(), receiver.arrived().len());
        let first = post(&world.client, &path, &key, &body).await;
        assert!(!replayed(&first), "{path}");
        world.drain().await;
        assert_eq!(receiver.arrived().len(), before + 1, "{path}");
        let again = post(&world.client, &path, &key, &body).await;
        assert!(replayed(&again), "{path}");
        world.drain().await;
        assert_eq!(receiver.arrived().len(), before + 1, "{path}");
    }
}

#[tokio::test]
async fn of_repetitions_at_once_one_takes_effect_and_all_say_the_same() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let (key, body) = (key(), json!({"url": receiver.url()}));
    let answers = join_all((0..6).map(|_| post(&world.client, ENDPOINTS, &key, &body))).await;
    assert_eq!(answers.iter().filter(|answer| !replayed(answer)).count(), 1);
    assert!(answers.iter().all(|answer| answer.json() == answers[0].json()));
    let id = answers[0].json()["endpoint"]["id"].as_str().expect("an id").to_owned();
    let (key, path) = (self::key(), format!("{ENDPOINTS}/{id}"));
    let deletions = join_all((0..6).map(|_| call(&world.client, Method::DELETE, &path, &key, &Value::Null))).await;
    assert_eq!(deletions.iter().filter(|answer| !replayed(answer)).count(), 1);
}

#[tokio::test]
async fn a_key_is_the_same_over_both_protocols() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let key = key();
    let first = post(&world.client, ENDPOINTS, &key, &json!({"url": receiver.url()})).await.json();
    let request = v1::CreateWebhookEndpointRequest {
        url: Some(receiver.url()),
        idempotency_key: Some(key),
        ..v1::CreateWebhookEndpointRequest::default()
    };
    let mut grpc = WebhooksServiceClient::new(world.client.channel.clone());
    let again = grpc.create_webhook_endpoint(world.client.call(request)).await.expect("the endpoint");
    assert!(is_replayed(again.metadata()));
    assert_eq!(json!(again.into_inner().secret), first["secret"]);
}

#[tokio::test]
async fn a_hold_is_placed_and_released_once() {
    let world = World::new().await;
    let user = world.user().await;
    let (path, key, body) = (format!("/v1/users/{user}/holds"), key(), json!({"reason": "Case 1"}));
    let first = post(&world.client, &path, &key, &body).await;
    assert_eq!((first.status, replayed(&first)), (201, false));
    let again = post(&world.client, &path, &key, &body).await;
    assert_eq!((again.status, replayed(&again), again.json()), (200, true, first.json()));
    assert_eq!(world.service.database.count("legal_holds").await, 1);
    is_reused(&post(&world.client, &path, &key, &json!({"reason": "Case 2"})).await);
    let path = format!("{path}/{}:release", first.json()["id"].as_str().expect("an id"));
    let key = self::key();
    let first = post(&world.client, &path, &key, &json!({})).await;
    assert!(!replayed(&first));
    world.advance(chrono::TimeDelta::seconds(5));
    let again = post(&world.client, &path, &key, &json!({})).await;
    assert!(replayed(&again) && again.json() == first.json());
}
