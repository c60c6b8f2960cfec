//! The keys behind our own tokens: published, and rotated without an outage.

use chrono::TimeDelta;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kira_users::app;
use kira_users::auth::{PUBLICATION_DELAY, StoreDirectory, rotate_signing_key};
use kira_users::contract::v1;
use serde_json::Value;

use crate::harness::service::{Answer, Client, Service, config};

async fn published(client: &Client) -> JwkSet {
    let answer = client.http.get(format!("{}/.well-known/jwks.json", client.base)).send().await.expect("an answer");
    let answer = Answer::of(answer).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    let over_grpc = client.grpc_auth().get_token_keys(v1::GetTokenKeysRequest {}).await.expect("keys").into_inner();
    let keys: JwkSet = serde_json::from_str(&answer.text).expect("a JWKS");
    let kids: Vec<_> = over_grpc.keys.into_iter().map(|key| Some(key.kid)).collect();
    assert_eq!(kids, keys.keys.iter().map(|key| key.common.key_id.clone()).collect::<Vec<_>>());
    keys
}

fn kid(client: &Client) -> String {
    jsonwebtoken::decode_header(&client.token).expect("a token").kid.expect("a key id")
}

async fn works(client: &Client) -> bool {
    client.get(&format!("/v1/users/{}", client.id)).await.status == 404
}

#[tokio::test]
async fn a_published_key_verifies_a_token() {
    let service = Service::start().await;
    let client = service.client().await;
    let keys = published(&client).await;
    let key = DecodingKey::from_jwk(keys.find(&kid(&client)).expect("the token's key")).expect("a key");
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&["kira-users"]);
    // By the machine's clock; the test's clock differs.
    validation.validate_exp = false;
    let verified = jsonwebtoken::decode::<Value>(&client.token, &key, &validation).expect("a good signature");
    assert_eq!(verified.claims["client_id"], client.id.to_string());
    assert_eq!(verified.claims["exp"].as_i64(), verified.claims["iat"].as_i64().map(|issued| issued + 3_600));
}

#[tokio::test]
async fn a_published_key_has_no_private_part() {
    let service = Service::start().await;
    let answer = service.http.get(format!("{}/.well-known/jwks.json", service.url())).send().await.expect("an answer");
    let answer = Answer::of(answer).await.json();
    let names: Vec<_> = answer["keys"][0].as_object().expect("a key").keys().cloned().collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
}

#[tokio::test]
async fn rotating_the_signing_key_costs_no_token() {
    let service = Service::start().await;
    let before = service.client().await;
    let resources = &service.running.resources;
    let directory = StoreDirectory::new(resources.store.clone(), resources.vault.clone());
    let lifetime = TimeDelta::hours(1);
    let rotation = rotate_signing_key(&directory, resources.env.as_ref(), lifetime, PUBLICATION_DELAY).await;
    let rotation = rotation.expect("a rotation");

    // A replica that knows of the rotation, beside one that does not yet.
    let config = config(&service.database, &service.folder, &[]);
    let replica = app::start(&config, service.clock.clone()).await.expect("a second replica starts");
    let mut during = before.at(&replica).await;
    let keys = published(&during).await;
    assert!(keys.keys.len() == 2 && keys.find(&rotation.kid).is_some(), "published before it signs");
    during.renew_token().await;
    assert_eq!(kid(&during), kid(&before), "the old key still signs");

    service.clock.advance(PUBLICATION_DELAY);
    let mut after = before.at(&replica).await;
    after.renew_token().await;
    assert_eq!(kid(&after), rotation.kid, "the new key signs");
    for (when, token) in [("before", &before.token), ("during", &during.token), ("after", &after.token)] {
        for place in [&before, &during] {
            let client = Client { token: token.clone(), ..place.clone() };
            assert!(works(&client).await, "a token from {when} is good on every replica");
        }
    }

    service.clock.advance(rotation.others_retire_at - rotation.signs_from);
    after.renew_token().await;
    assert!(works(&after).await && works(&Client { token: after.token.clone(), ..before.clone() }).await);
    let keys = published(&during).await;
    assert_eq!(keys.keys.len(), 1, "the old key is gone when its last token is dead");
    assert!(keys.find(&rotation.kid).is_some());
    assert_eq!(during.get("/v1/users/x").await.json()["message"], "Invalid token");
}
