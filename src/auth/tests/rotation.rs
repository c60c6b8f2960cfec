//! Changing the key that signs our tokens.

use super::*;
use crate::auth::{OpenError, PUBLICATION_DELAY, Rotation, rotate_signing_key};

async fn rotate(setup: &Setup) -> Rotation {
    let clock: &MockClock = &setup.clock;
    let rotated = rotate_signing_key(setup.rows.as_ref(), clock, TimeDelta::hours(1), PUBLICATION_DELAY).await;
    setup.replica.refresh().await;
    rotated.expect("the rows are up")
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).expect("is a token").kid.expect("names its key")
}

fn published(replica: &Authenticator) -> Vec<String> {
    replica.jwks().into_iter().map(|jwk| jwk.kid).collect()
}

#[tokio::test]
async fn the_first_key_signs_at_once_and_replicas_share_it() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let other = setup.another_replica().await;
    let token = setup.token(&client).await;
    assert_eq!(published(&other), [kid(&token)]);
    assert!(call(&other, &token, &client).await.is_ok());
}

#[tokio::test]
async fn a_published_key_verifies_as_a_jwk() {
    let setup = Setup::new().await;
    let token = setup.token(&setup.client().await).await;
    let jwk = serde_json::to_value(&setup.replica.jwks()[0]).expect("serialises");
    assert_eq!(
        (jwk["kty"].as_str(), jwk["use"].as_str(), jwk["alg"].as_str()),
        (Some("OKP"), Some("sig"), Some("EdDSA"))
    );
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).expect("is a JWK");
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("is a key");
    assert!(crate::auth::claims::verify_signature(&token, &key, jsonwebtoken::Algorithm::EdDSA).is_ok());
}

#[tokio::test]
async fn a_new_key_is_published_at_once_and_signs_later() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let first = kid(&setup.token(&client).await);
    let rotation = rotate(&setup).await;
    assert_eq!(published(&setup.replica), [rotation.kid.clone(), first.clone()]);
    assert_eq!(kid(&setup.token(&client).await), first);
    setup.advance(PUBLICATION_DELAY);
    assert_eq!(kid(&setup.token(&client).await), rotation.kid);
}

#[tokio::test]
async fn a_clock_that_was_set_back_behind_every_key_lets_the_newest_one_sign() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    setup.advance(-TimeDelta::days(1));
    let later = setup.token(&client).await;
    assert_eq!(kid(&later), kid(&token));
    assert!(call(&setup.replica, &later, &client).await.is_ok());
}

#[tokio::test]
async fn a_rotation_before_the_first_start_leaves_a_key_that_signs() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    setup.rows.tables().keys.clear();
    let rotation = rotate(&setup).await;
    assert_eq!(kid(&setup.token(&client).await), rotation.kid);
}

#[tokio::test]
async fn the_last_token_of_an_old_key_lives_to_its_end() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    rotate(&setup).await;
    setup.advance(PUBLICATION_DELAY - TimeDelta::seconds(1));
    let last = setup.token(&client).await;
    setup.advance(TimeDelta::seconds(3_599));
    assert!(setup.call(&last, &client).await.is_ok());
    setup.advance(TimeDelta::seconds(1));
    assert_eq!(setup.call(&last, &client).await, Err(AuthError::TokenExpired));
}

#[tokio::test]
async fn a_retired_key_is_neither_published_nor_believed() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let old = setup.token(&client).await;
    let rotation = rotate(&setup).await;
    setup.advance(rotation.others_retire_at - setup.clock.now());
    assert_eq!(published(&setup.replica), [rotation.kid]);
    assert_eq!(setup.call(&old, &client).await, Err(AuthError::InvalidToken));
}

#[tokio::test]
async fn a_remembered_token_dies_with_its_key() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    setup.call(&token, &client).await.expect("is authenticated");
    rotate(&setup).await;
    setup.rows.tables().keys.remove(0);
    setup.replica.refresh().await;
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken));
}

#[tokio::test]
async fn a_replica_that_has_not_reloaded_looks_for_an_unknown_key() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let behind = setup.another_replica().await;
    rotate(&setup).await;
    setup.advance(PUBLICATION_DELAY);
    let token = setup.token(&client).await;
    assert!(call(&behind, &token, &client).await.is_ok());
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_one_read() {
    let setup = Setup::new().await;
    let (client, unknown_client) = (setup.client().await, Setup::new().await);
    let reads = setup.rows.signing_key_reads.load(Ordering::Relaxed);
    let foreign = unknown_client.token(&unknown_client.client().await).await;
    for _ in 0..50 {
        assert_eq!(setup.call(&foreign, &client).await, Err(AuthError::InvalidToken));
    }
    assert_eq!(setup.rows.signing_key_reads.load(Ordering::Relaxed), reads + 1);
}

#[tokio::test]
async fn an_unknown_key_is_undecided_while_the_store_is_down() {
    let setup = Setup::new().await;
    let (client, unknown_client) = (setup.client().await, Setup::new().await);
    let foreign = unknown_client.token(&unknown_client.client().await).await;
    setup.rows.down.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(setup.call(&foreign, &client).await, Err(AuthError::Unavailable));
    }
}

#[tokio::test]
async fn a_failed_reload_keeps_the_known_keys() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    setup.call(&token, &client).await.expect("is authenticated");
    setup.rows.down.store(true, Ordering::Relaxed);
    setup.replica.refresh().await;
    assert!(setup.call(&token, &client).await.is_ok());
    assert_eq!(published(&setup.replica).len(), 1);
}

#[tokio::test]
async fn a_key_that_was_tampered_with_is_a_refusal_to_start() {
    let setup = Setup::new().await;
    setup.rows.tables().keys[0].public_key[0] ^= 1;
    let (rows, clock): (Arc<dyn Directory>, SharedEnv) = (Arc::clone(&setup.rows) as _, Arc::clone(&setup.clock) as _);
    let refused = Authenticator::open(&setup.config, rows, clock).await;
    assert!(matches!(refused.err(), Some(OpenError::Directory(error)) if !error.is_unavailable));
}
