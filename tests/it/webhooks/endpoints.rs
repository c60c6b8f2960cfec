//! The management of endpoints, over both protocols.

use chrono::TimeDelta;
use kira_gateway::error::{ErrorReason, details};
use kira_users::contract::v1;
use kira_users::contract::v1::webhooks_service_client::WebhooksServiceClient;
use kira_users::webhook::signature::EndpointSecret;
use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::json;
use uuid::Uuid;

use crate::harness::receiver::{Act, Receiver};
use crate::webhooks::support::{SECRET, World};

#[tokio::test]
async fn a_webhook_is_registered_as_at_the_live_service() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let body = |client: Uuid| json!({"client_uuid": client, "webhook_url": receiver.url(), "secret": "short"});
    let answer = world.send(Method::POST, "/webhooks/register", body(world.client.id)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json(), json!({"message": "Webhook registered successfully"}));
    world.user().await;
    world.drain().await;
    let arrived = receiver.arrived().remove(0);
    let signature = EndpointSecret::new("short").sign_body(&arrived.body);
    assert_eq!(arrived.headers["x-signature-sha256"], signature);
    let other_client = world.send(Method::POST, "/webhooks/register", body(Uuid::from_u128(7))).await;
    assert_eq!((other_client.status, other_client.json()["code"].clone()), (403, json!("forbidden")));
}

#[tokio::test]
async fn registering_again_gives_the_url_another_secret_and_no_second_delivery() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    for secret in [SECRET, "another secret"] {
        let body = json!({"client_uuid": world.client.id, "webhook_url": receiver.url(), "secret": secret});
        assert_eq!(world.send(Method::POST, "/webhooks/register", body).await.status, 200);
    }
    world.user().await;
    world.drain().await;
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 1);
    let signature = EndpointSecret::new("another secret").sign_body(&arrived[0].body);
    assert_eq!(arrived[0].headers["x-signature-sha256"], signature);
}

#[tokio::test]
async fn an_endpoint_shows_its_secret_once() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let made = world.send(Method::POST, "/v1/webhooks/endpoints", json!({"url": receiver.url()})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (endpoint, secret) = (made.json()["endpoint"].clone(), made.json()["secret"].clone());
    let secret = secret.as_str().expect("a secret");
    assert!(secret.starts_with("whsec_"));
    let id = endpoint["id"].as_str().expect("an id");
    assert_eq!(made.header("location"), Some(format!("/v1/webhooks/endpoints/{id}").as_str()));
    let shown = world.client.get(&format!("/v1/webhooks/endpoints/{id}")).await;
    assert_eq!(shown.json(), endpoint);
    let list = world.client.get("/v1/webhooks/endpoints").await;
    assert_eq!(list.json()["data"], json!([endpoint]));
    assert!(!shown.text.contains(secret) && !list.text.contains(secret));
    assert_eq!(endpoint["events"], json!([]));
    assert_eq!((&endpoint["enabled"], &endpoint["ordered"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn during_a_rotation_both_secrets_sign() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({})).await;
    let path = format!("/v1/webhooks/endpoints/{id}:rotateSecret");
    let answer = world.send(Method::POST, &path, json!({"overlap_seconds": 3600})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let new = answer.json()["secret"].as_str().expect("a secret").to_owned();
    let sign = |secret: &str, turn: usize| {
        let arrived = &receiver.arrived()[turn];
        let at = arrived.headers["webhook-timestamp"].parse().ok();
        let at = at.and_then(|at| chrono::DateTime::from_timestamp(at, 0)).expect("a time");
        EndpointSecret::new(secret).sign(&arrived.headers["webhook-id"], at, &arrived.body)
    };
    world.user().await;
    world.drain().await;
    let both = format!("{} {}", sign(&new, 0), sign(SECRET, 0));
    assert_eq!(receiver.arrived()[0].headers["webhook-signature"], both);
    world.advance(TimeDelta::minutes(61));
    world.user().await;
    world.drain().await;
    assert_eq!(receiver.arrived()[1].headers["webhook-signature"], sign(&new, 1));
}

#[tokio::test]
async fn a_disabled_endpoint_gets_nothing_and_what_was_kept_when_it_is_enabled() {
    let world = World::new().await;
    let receiver = Receiver::acting([Act::status(500)]).await;
    let id = world.endpoint(&receiver, json!({})).await;
    let path = format!("/v1/webhooks/endpoints/{id}");
    world.user().await;
    world.drain().await;
    let disabled = world.send(Method::PATCH, &path, json!({"enabled": false})).await.json();
    assert_eq!((&disabled["enabled"], &disabled["disabled_reason"]), (&json!(false), &json!("by_owner")));
    world.advance(TimeDelta::minutes(1));
    world.drain().await;
    assert_eq!(receiver.count(), 1);
    assert_eq!(world.post(&format!("{path}:test")).await.json()["code"], "invalid_state");
    assert_eq!(world.send(Method::PATCH, &path, json!({"enabled": true})).await.json()["enabled"], true);
    world.drain().await;
    assert_eq!(receiver.count(), 2);
}

#[tokio::test]
async fn what_is_not_sent_of_an_endpoint_stays() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({"events": ["user.updated"], "ordered": true})).await;
    let path = format!("/v1/webhooks/endpoints/{id}");
    let changed = world.send(Method::PATCH, &path, json!({"events": []})).await.json();
    assert_eq!((&changed["events"], &changed["ordered"]), (&json!([]), &json!(true)));
    let wrong = world.send(Method::PATCH, &path, json!({"events": ["user.deleted"]})).await;
    assert_eq!(wrong.json()["details"][0]["code"], "invalid_enum_value", "{}", wrong.text);
}

#[tokio::test]
async fn no_two_endpoints_of_a_client_have_the_same_url() {
    let world = World::new().await;
    let (one, other) = (Receiver::new().await, Receiver::new().await);
    let id = world.endpoint(&one, json!({})).await;
    world.endpoint(&other, json!({})).await;
    let path = format!("/v1/webhooks/endpoints/{id}");
    let taken = world.send(Method::PATCH, &path, json!({"url": other.url(), "ordered": true})).await;
    let problem = json!({"path": "url", "message": "An endpoint with this URL exists already", "code": "custom"});
    assert_eq!((taken.status, &taken.json()["details"][0]), (400, &problem), "{}", taken.text);
    assert_eq!(world.shown(&id).await["ordered"], false);
    assert_eq!(world.send(Method::PATCH, &path, json!({"url": one.url()})).await.status, 200, "its own is not taken");
}

#[tokio::test]
async fn a_test_arrives_whatever_the_filter() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({"events": ["user.updated"]})).await;
    let sent = world.post(&format!("/v1/webhooks/endpoints/{id}:test")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    world.drain().await;
    let arrived = receiver.arrived();
    assert_eq!((arrived.len(), arrived[0].kind().as_str()), (1, "webhook.test"));
    assert_eq!(json!(arrived[0].event_id()), sent.json()["event_id"]);
    let delivery = sent.json()["delivery_id"].as_str().expect("an id").to_owned();
    let shown = world.client.get(&format!("/v1/webhooks/deliveries/{delivery}")).await.json();
    assert_eq!((&shown["status"], &shown["event"]), (&json!("delivered"), &json!("webhook.test")));
}

#[tokio::test]
async fn a_removed_endpoint_gets_nothing() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({})).await;
    world.user().await;
    let path = format!("/v1/webhooks/endpoints/{id}");
    assert_eq!(world.send(Method::DELETE, &path, json!({})).await.status, 200);
    world.drain().await;
    assert_eq!(receiver.count(), 0);
    assert_eq!(world.client.get(&path).await.status, 404);
    assert_eq!(world.send(Method::DELETE, &path, json!({})).await.status, 404);
}

#[tokio::test]
async fn no_client_sees_or_changes_the_endpoints_of_another() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({})).await;
    let other_client = World { client: world.service.client().await, ..world };
    let path = format!("/v1/webhooks/endpoints/{id}");
    assert_eq!(other_client.client.get(&path).await.status, 404);
    assert_eq!(other_client.client.get("/v1/webhooks/endpoints").await.json()["data"], json!([]));
    assert_eq!(other_client.send(Method::PATCH, &path, json!({"enabled": false})).await.status, 404);
    assert_eq!(other_client.send(Method::DELETE, &path, json!({})).await.status, 404);
    assert_eq!(other_client.post(&format!("{path}:test")).await.status, 404);
    assert_eq!(other_client.send(Method::POST, &format!("{path}:rotateSecret"), json!({})).await.status, 404);
}

#[tokio::test]
async fn both_protocols_show_the_same_endpoint() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let id = world.endpoint(&receiver, json!({"events": ["user.created"]})).await;
    let mut grpc = WebhooksServiceClient::new(world.client.channel.clone());
    let request = world.client.call(v1::GetWebhookEndpointRequest { endpoint_id: Some(id.clone()) });
    let endpoint = grpc.get_webhook_endpoint(request).await.expect("an answer").into_inner().endpoint;
    let endpoint = endpoint.expect("an endpoint");
    let types: Vec<_> = endpoint.events.as_ref().expect("a filter").types().map(|kind| kind.json_name()).collect();
    assert_eq!((endpoint.id.as_str(), types), (id.as_str(), vec!["user.created"]));
    assert_eq!(endpoint.url, receiver.url());
}

#[tokio::test]
async fn readiness_shows_the_sender() {
    let world = World::new().await;
    let url = format!("{}/readyz", world.service.admin_url());
    let shown = world.service.http.get(url).send().await.expect("an answer").text().await.expect("a text");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["webhooks"], json!({"sender": false, "sending": 0}));
}

/// Runs SQL beside the service.
async fn execute(world: &World, sql: &str) {
    let look = world.service.database.look().await;
    let statement = Statement::from_string(look.get_database_backend(), sql);
    look.execute_raw(statement).await.expect("the statement succeeds");
}

#[tokio::test]
async fn a_url_with_a_token_is_shown_to_its_owner_and_sealed_in_the_database() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let urls = [format!("{}/planted-path?token=planted-token", receiver.url()), format!("{}/other", receiver.url())];
    let mut paths = Vec::new();
    for url in &urls {
        let made = world.send(Method::POST, "/v1/webhooks/endpoints", json!({"url": url})).await.json();
        assert_eq!(made["endpoint"]["url"], json!(url));
        paths.push(format!("/v1/webhooks/endpoints/{}", made["endpoint"]["id"].as_str().expect("an id")));
    }
    let look = world.service.database.look().await;
    let statement = Statement::from_string(look.get_database_backend(), "SELECT sealed_url FROM webhook_endpoints");
    for row in look.query_all_raw(statement).await.expect("a table") {
        let sealed: Vec<u8> = row.try_get_by_index(0).expect("bytes");
        assert!(!sealed.windows(4).any(|window| window == b"plan" || window == b"http"));
    }
    world.user().await;
    world.drain().await;
    assert_eq!(receiver.count(), 2, "what is sealed is sent to");
    let swap = "UPDATE webhook_endpoints SET sealed_url = other.sealed_url FROM webhook_endpoints AS other \
                WHERE other.id <> webhook_endpoints.id";
    execute(&world, swap).await;
    for path in &paths {
        let moved = world.client.get(path).await;
        assert_eq!((moved.status, moved.json()["code"].clone()), (500, json!("internal_error")), "{}", moved.text);
    }
}

#[tokio::test]
async fn a_url_with_a_user_name_or_a_password_is_refused() {
    let world = World::new().await;
    let mut grpc = WebhooksServiceClient::new(world.client.channel.clone());
    for url in ["https://user:password@example.com/", "https://user@example.com/"] {
        let refused = world.send(Method::POST, "/v1/webhooks/endpoints", json!({"url": url})).await;
        let message = "The URL must not contain a user name or a password";
        let problem = json!({"path": "url", "message": message, "code": "custom"});
        assert_eq!((refused.status, &refused.json()["details"][0]), (400, &problem), "{}", refused.text);
        let body = json!({"client_uuid": world.client.id, "webhook_url": url, "secret": SECRET});
        let refused = world.send(Method::POST, "/webhooks/register", body).await;
        assert_eq!((refused.status, &refused.json()["details"][0]["message"]), (400, &json!(message)));
        let request = v1::CreateWebhookEndpointRequest { url: Some(url.to_owned()), ..Default::default() };
        let refused = grpc.create_webhook_endpoint(world.client.call(request)).await.expect_err("a refusal");
        assert_eq!(details(&refused).expect("details").reason, ErrorReason::InvalidRequest);
    }
}

#[tokio::test]
async fn registering_without_a_secret_makes_one_and_shows_it() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let body = json!({"client_uuid": world.client.id, "webhook_url": receiver.url()});
    let answer = world.send(Method::POST, "/webhooks/register", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["message"], "Webhook registered successfully");
    let secret = answer.json()["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_"));
    world.user().await;
    world.drain().await;
    let arrived = receiver.arrived().remove(0);
    assert_eq!(arrived.headers["x-signature-sha256"], EndpointSecret::new(secret).sign_body(&arrived.body));
    let mut grpc = WebhooksServiceClient::new(world.client.channel.clone());
    let request = v1::RegisterWebhookRequest {
        client_uuid: Some(world.client.id.to_string()),
        webhook_url: Some(format!("{}/other", receiver.url())),
        secret: None,
        idempotency_key: None,
    };
    let answer = grpc.register_webhook(world.client.call(request)).await.expect("an answer").into_inner();
    assert!(answer.secret.expect("a secret").starts_with("whsec_"));
}

#[tokio::test]
async fn an_endpoint_may_be_made_disabled() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let body = json!({"url": receiver.url(), "enabled": false});
    let made = world.send(Method::POST, "/v1/webhooks/endpoints", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let endpoint = made.json()["endpoint"].clone();
    assert_eq!((&endpoint["enabled"], &endpoint["disabled_reason"]), (&json!(false), &json!("by_owner")));
    assert!(made.json().get("warnings").is_none(), "{}", made.text);
    world.user().await;
    world.drain().await;
    assert_eq!(receiver.count(), 0);
    let mut grpc = WebhooksServiceClient::new(world.client.channel.clone());
    let url = Some(format!("{}/other", receiver.url()));
    let request = v1::CreateWebhookEndpointRequest { url, enabled: Some(false), ..Default::default() };
    let answer = grpc.create_webhook_endpoint(world.client.call(request)).await.expect("an answer").into_inner();
    assert!(!answer.endpoint.expect("an endpoint").enabled);
}

#[tokio::test]
async fn a_secret_after_whsec_must_be_one_that_libraries_read() {
    let world = World::new().await;
    let receiver = Receiver::new().await;
    let encoded = |bytes: usize| format!("whsec_{}", base64_simd::STANDARD.encode_to_string(vec![7; bytes]));
    let message = "Must be base64 of 24 to 64 bytes after whsec_";
    let problem = json!({"path": "secret", "message": message, "code": "invalid_string"});
    for secret in
        ["whsec_what is this? no base64 at all".to_owned(), encoded(23), encoded(65), format!("{}=", encoded(24))]
    {
        for (path, url) in [("/v1/webhooks/endpoints", "url"), ("/webhooks/register", "webhook_url")] {
            let body = json!({"client_uuid": world.client.id, url: receiver.url(), "secret": secret});
            let refused = world.send(Method::POST, path, body).await;
            assert_eq!((refused.status, &refused.json()["details"]), (400, &json!([problem])), "{secret}");
        }
    }
    for (number, bytes) in [24, 64].into_iter().enumerate() {
        let body = json!({"url": format!("{}/{number}", receiver.url()), "secret": encoded(bytes)});
        assert_eq!(world.send(Method::POST, "/v1/webhooks/endpoints", body).await.status, 201, "{bytes} bytes");
    }
}
