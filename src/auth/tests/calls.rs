//! Every other call: a token and an API key.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;

/// A token with a header and claims of the test's choice, signed by the installation's first key.
fn forge(setup: &Setup, header: &Header, claims: &Value) -> String {
    let tables = setup.rows.tables();
    jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_der(&tables.keys[0].private_key)).expect("signs")
}

fn own_header(setup: &Setup) -> Header {
    Header { kid: Some(setup.rows.tables().keys[0].kid.clone()), ..Header::new(Algorithm::EdDSA) }
}

fn in_an_hour(setup: &Setup) -> i64 {
    (setup.clock.now() + TimeDelta::hours(1)).timestamp()
}

#[tokio::test]
async fn a_call_without_a_token_is_told_so() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    for authorization in [None, Some("Basic a2lyYTpraXJh"), Some("Bearer ")] {
        let refused = setup.replica.authenticate(authorization, Some(&client.api_key)).await;
        assert_eq!(refused, Err(AuthError::NoToken), "{authorization:?}");
    }
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_invalid() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    let (body, signature) = token.rsplit_once('.').expect("a token has parts");
    let tampered = format!("{body}.{}", signature.chars().rev().collect::<String>());
    let claims = json!({ "iss": "kira-users", "client_id": client.client_id, "exp": in_an_hour(&setup) });
    let own = own_header(&setup);
    let elsewhere = json!({ "iss": "elsewhere", "client_id": client.client_id, "exp": in_an_hour(&setup) });
    let no_issuer = json!({ "client_id": client.client_id, "exp": in_an_hour(&setup) });
    let no_end = json!({ "iss": "kira-users", "client_id": client.client_id });
    for (why, token) in [
        ("no JWT", "abc".to_owned()),
        ("not even base64", "a.b.c".to_owned()),
        ("another signature", tampered),
        ("no signature", format!("{body}.")),
        ("no key id", forge(&setup, &Header::new(Algorithm::EdDSA), &claims)),
        ("an unknown key", forge(&setup, &Header { kid: Some("x".to_owned()), ..own.clone() }, &claims)),
        ("an extension", forge(&setup, &Header { crit: Some(vec!["x".to_owned()]), ..own.clone() }, &claims)),
        ("another issuer", forge(&setup, &own, &elsewhere)),
        ("no issuer", forge(&setup, &own, &no_issuer)),
        ("no end", forge(&setup, &own, &no_end)),
    ] {
        assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken), "{why}");
    }
}

#[tokio::test]
async fn the_public_key_cannot_be_used_as_a_shared_secret() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let claims = json!({ "iss": "kira-users", "client_id": client.client_id, "exp": in_an_hour(&setup) });
    let header = Header { alg: Algorithm::HS256, ..own_header(&setup) };
    let secret = EncodingKey::from_secret(&setup.rows.tables().keys[0].public_key);
    let token = jsonwebtoken::encode(&header, &claims, &secret).expect("signs");
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken));
}

#[tokio::test]
async fn the_algorithm_none_is_refused() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let encode = |value: Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let claims = json!({ "iss": "kira-users", "client_id": client.client_id, "exp": in_an_hour(&setup) });
    let token = format!("{}.{}.", encode(json!({ "alg": "none", "kid": own_header(&setup).kid })), encode(claims));
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken));
}

#[tokio::test]
async fn a_token_without_a_client_id_is_told_so() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let claims = json!({ "iss": "kira-users", "exp": in_an_hour(&setup) });
    let token = forge(&setup, &own_header(&setup), &claims);
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::NoClientId));
}

#[tokio::test]
async fn a_token_ends_to_the_second_also_when_it_is_remembered() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    setup.advance(TimeDelta::seconds(3_599));
    assert!(setup.call(&token, &client).await.is_ok());
    setup.advance(TimeDelta::seconds(1));
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::TokenExpired));
}

#[tokio::test]
async fn of_a_token_that_does_not_verify_the_end_is_not_told() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    setup.advance(TimeDelta::hours(2));
    let (body, signature) = token.rsplit_once('.').expect("a token has parts");
    let tampered = format!("{body}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(setup.call(&tampered, &client).await, Err(AuthError::InvalidToken));
}

#[tokio::test]
async fn the_api_key_must_be_a_known_one_of_the_same_client() {
    let setup = Setup::new().await;
    let (client, other) = (setup.client().await, setup.client().await);
    let bearer = format!("Bearer {}", setup.token(&client).await);
    for api_key in [None, Some(""), Some("kira_unknown"), Some(other.api_key.as_str())] {
        let refused = setup.replica.authenticate(Some(&bearer), api_key).await;
        assert_eq!(refused, Err(AuthError::InvalidApiKey), "{api_key:?}");
    }
}

#[tokio::test]
async fn an_expired_api_key_is_refused_to_the_second() {
    let setup = Setup::new().await;
    let old = setup.client().await;
    let token = setup.token(&old).await;
    setup.credentials_for(old.client_id, Some(setup.clock.now() + TimeDelta::seconds(2))).await;
    assert!(setup.call(&token, &old).await.is_ok());
    setup.advance(TimeDelta::seconds(2));
    assert_eq!(setup.call(&token, &old).await, Err(AuthError::InvalidApiKey));
}

#[tokio::test]
async fn a_disabled_client_is_refused_within_five_seconds() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    assert!(setup.call(&token, &client).await.is_ok());
    setup.rows.tables().disabled.push(client.client_id);
    setup.advance(TimeDelta::seconds(4));
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidApiKey));
}

#[tokio::test]
async fn the_common_case_reads_no_row() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    setup.call(&token, &client).await.expect("is authenticated");
    let reads = setup.rows.api_key_reads.load(Ordering::Relaxed);
    for _ in 0..100 {
        setup.call(&token, &client).await.expect("is authenticated");
    }
    assert_eq!(setup.rows.api_key_reads.load(Ordering::Relaxed), reads);
}

#[tokio::test]
async fn those_who_call_at_once_share_one_read() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    let reads = setup.rows.api_key_reads.load(Ordering::Relaxed);
    let calls = (0..64).map(|_| setup.call(&token, &client));
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(setup.rows.api_key_reads.load(Ordering::Relaxed), reads + 1);
}

#[tokio::test]
async fn keys_that_are_made_up_for_a_good_token_cost_one_read_a_second() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let bearer = format!("Bearer {}", setup.token(&client).await);
    let reads = || setup.rows.api_key_reads.load(Ordering::Relaxed);
    let before = reads();
    for _ in 0..3 {
        for number in 0..1_000 {
            let refused = setup.replica.authenticate(Some(&bearer), Some(&format!("kira_{number}"))).await;
            assert_eq!(refused, Err(AuthError::InvalidApiKey));
        }
        setup.advance(TimeDelta::seconds(1));
    }
    assert!(reads() - before <= 5, "{} reads", reads() - before);
    assert!(setup.replica.authenticate(Some(&bearer), Some(&client.api_key)).await.is_ok());
}

#[tokio::test]
async fn a_new_key_is_good_at_once_and_within_a_second_where_unknown_ones_were_tried() {
    let setup = Setup::new().await;
    let old = setup.client().await;
    let token = setup.token(&old).await;
    setup.call(&token, &old).await.expect("is authenticated");
    let new = setup.credentials_for(old.client_id, None).await;
    assert!(setup.call(&token, &new).await.is_ok());
    setup.advance(TimeDelta::seconds(10));
    let bearer = format!("Bearer {token}");
    assert!(setup.replica.authenticate(Some(&bearer), Some("kira_unknown")).await.is_err());
    let newest = setup.credentials_for(old.client_id, None).await;
    setup.advance(TimeDelta::seconds(1));
    assert!(setup.call(&token, &newest).await.is_ok());
}

#[tokio::test]
async fn a_login_with_an_unknown_key_is_looked_up_once_a_second() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let unknown_client = Credentials::generate(client.client_id, setup.clock.as_ref());
    let reads = || setup.rows.api_key_reads.load(Ordering::Relaxed);
    let before = reads();
    for _ in 0..100 {
        assert_eq!(setup.issue(&unknown_client).await, Err(AuthError::InvalidCredentials));
    }
    assert_eq!(reads() - before, 1);
    setup.advance(TimeDelta::seconds(1));
    assert_eq!(setup.issue(&unknown_client).await, Err(AuthError::InvalidCredentials));
    assert_eq!(reads() - before, 2);
}

#[tokio::test]
async fn a_token_that_was_refused_is_judged_again_after_a_second() {
    let setup = Setup::new().await;
    let client = setup.client().await;
    let not_before = (setup.clock.now() + TimeDelta::seconds(1)).timestamp();
    let exp = in_an_hour(&setup);
    let claims = json!({ "iss": "kira-users", "client_id": client.client_id, "exp": exp, "nbf": not_before });
    let token = forge(&setup, &own_header(&setup), &claims);
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken));
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken));
    setup.advance(TimeDelta::seconds(1));
    assert!(setup.call(&token, &client).await.is_ok());
}

#[tokio::test]
async fn while_the_store_is_down_the_known_are_served_for_four_seconds() {
    let setup = Setup::new().await;
    let (known, unknown) = (setup.client().await, setup.client().await);
    let (token, other) = (setup.token(&known).await, setup.token(&unknown).await);
    setup.call(&token, &known).await.expect("is authenticated");
    setup.rows.down.store(true, Ordering::Relaxed);
    assert!(setup.call(&token, &known).await.is_ok());
    assert_eq!(setup.call(&other, &unknown).await, Err(AuthError::Unavailable));
    setup.advance(TimeDelta::seconds(4));
    assert_eq!(setup.call(&token, &known).await, Err(AuthError::Unavailable));
}
