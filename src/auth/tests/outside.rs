//! Tokens of an outside issuer, whose keys come from a small HTTP server.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::OutsideIssuerConfig;

const ISSUER: &str = "https://id.example.com/";

/// Serves a JWKS document and counts the fetches.
struct Issuer {
    /// Status and body of the answer.
    answer: Mutex<(u16, String)>,
    fetches: AtomicUsize,
}

/// A P-256 key pair of the issuer.
struct Key {
    kid: &'static str,
    private: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("makes a key");
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("is a key");
        let point = pair.public_key().as_ref();
        let encode = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": kid,
            "x": encode(&point[1..33]), "y": encode(&point[33..]),
        });
        Self { kid, private: EncodingKey::from_ec_der(pkcs8.as_ref()), jwk }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.private).expect("signs")
    }
}

impl Issuer {
    fn publish(&self, keys: &[&Key]) {
        let keys: Vec<&Value> = keys.iter().map(|key| &key.jwk).collect();
        self.fail(200, json!({ "keys": keys }).to_string());
    }

    fn fail(&self, status: u16, body: String) {
        *self.answer.lock() = (status, body);
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }
}

/// An installation that trusts an outside issuer with the one key `key`.
async fn setup_with(key: &Key) -> (Setup, Arc<Issuer>) {
    let issuer = Arc::new(Issuer { answer: Mutex::default(), fetches: AtomicUsize::new(0) });
    issuer.publish(&[key]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound");
    let served = Arc::clone(&issuer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            served.fetches.fetch_add(1, Ordering::Relaxed);
            let (status, body) = served.answer.lock().clone();
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            // The request is one small packet, and what it says does not matter.
            if stream.read(&mut [0; 4096]).await.is_ok() && stream.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    let setup = Setup::with(AuthConfig {
        token_lifetime: Duration::from_secs(3_600),
        token_issuer: "kira-users".to_owned(),
        outside_issuer: Some(OutsideIssuerConfig {
            jwks_url: format!("http://{address}/keys").parse().expect("is a URL"),
            issuer: ISSUER.to_owned(),
            audience: "kira".to_owned(),
            client_id_claim: "app.client_id".to_owned(),
        }),
    })
    .await;
    (setup, issuer)
}

fn claims(setup: &Setup, client: &Credentials) -> Value {
    let now = setup.clock.now().timestamp();
    json!({
        "iss": ISSUER, "aud": ["other", "kira"], "exp": now + 600, "nbf": now, "app": { "client_id": client.client_id },
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_token_of_the_issuer_is_good_and_its_keys_are_fetched_once() {
    let key = Key::new("a");
    let (setup, issuer) = setup_with(&key).await;
    let client = setup.client().await;
    for end in [600, 700] {
        let exp = json!(setup.clock.now().timestamp() + end);
        let token = key.sign(&with(claims(&setup, &client), "exp", exp));
        assert_eq!(setup.call(&token, &client).await, Ok(Caller { client_id: client.client_id, role: Role::Client }));
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn our_own_tokens_stay_good_beside_an_outside_issuer() {
    let (setup, issuer) = setup_with(&Key::new("a")).await;
    let client = setup.client().await;
    let token = setup.token(&client).await;
    assert!(setup.call(&token, &client).await.is_ok());
    assert_eq!(issuer.fetches(), 0);
}

#[tokio::test]
async fn a_token_for_someone_else_or_of_an_unknown_key_is_invalid() {
    let key = Key::new("a");
    let (setup, _issuer) = setup_with(&key).await;
    let client = setup.client().await;
    let good = || claims(&setup, &client);
    let later = json!(setup.clock.now().timestamp() + 31);
    for (why, token) in [
        ("another audience", key.sign(&with(good(), "aud", json!("other")))),
        ("no audience", key.sign(&with(good(), "aud", Value::Null))),
        ("our own issuer", key.sign(&with(good(), "iss", json!("kira-users")))),
        ("not yet", key.sign(&with(good(), "nbf", later))),
        ("another key under the same id", Key::new("a").sign(&good())),
        ("an unknown key", Key::new("b").sign(&good())),
    ] {
        assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken), "{why}");
    }
}

#[tokio::test]
async fn the_clock_of_the_issuer_may_differ_by_thirty_seconds() {
    let key = Key::new("a");
    let (setup, _issuer) = setup_with(&key).await;
    let client = setup.client().await;
    let token = key.sign(&claims(&setup, &client));
    setup.advance(TimeDelta::seconds(629));
    assert!(setup.call(&token, &client).await.is_ok());
    setup.advance(TimeDelta::seconds(1));
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::TokenExpired));
}

#[tokio::test]
async fn a_token_whose_client_id_is_no_uuid_names_no_client() {
    let key = Key::new("a");
    let (setup, _issuer) = setup_with(&key).await;
    let client = setup.client().await;
    for app in [Value::Null, json!({ "client_id": "acme" }), json!({ "client_id": 7 })] {
        let token = key.sign(&with(claims(&setup, &client), "app", app.clone()));
        assert_eq!(setup.call(&token, &client).await, Err(AuthError::NoClientId), "{app}");
    }
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_found_when_a_token_names_it() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let (setup, issuer) = setup_with(&old).await;
    let client = setup.client().await;
    setup.replica.refresh().await;
    issuer.publish(&[&old, &new]);
    setup.advance(TimeDelta::seconds(10));
    assert!(setup.call(&new.sign(&claims(&setup, &client)), &client).await.is_ok());
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_at_the_hourly_refresh() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let (setup, issuer) = setup_with(&old).await;
    let client = setup.client().await;
    let token = old.sign(&with(claims(&setup, &client), "exp", json!(setup.clock.now().timestamp() + 7_200)));
    setup.call(&token, &client).await.expect("is authenticated");
    issuer.publish(&[&new]);
    setup.replica.refresh().await;
    assert!(setup.call(&token, &client).await.is_ok(), "not due yet");
    setup.advance(TimeDelta::hours(1));
    setup.replica.refresh().await;
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken));
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_known_keys() {
    let key = Key::new("a");
    let (setup, issuer) = setup_with(&key).await;
    let client = setup.client().await;
    setup.replica.refresh().await;
    for (status, body) in [
        (500, String::new()),
        (200, "<html>".to_owned()),
        (200, json!({ "keys": [] }).to_string()),
        (302, String::new()),
        (200, " ".repeat(2 << 20)),
    ] {
        issuer.fail(status, body);
        setup.advance(TimeDelta::hours(1));
        setup.replica.refresh().await;
        assert!(setup.call(&key.sign(&claims(&setup, &client)), &client).await.is_ok(), "{status}");
    }
}

#[tokio::test]
async fn while_the_issuer_is_down_an_unknown_key_is_undecided() {
    let key = Key::new("a");
    let (setup, issuer) = setup_with(&key).await;
    let client = setup.client().await;
    issuer.fail(503, String::new());
    let token = key.sign(&claims(&setup, &client));
    assert_eq!(setup.call(&token, &client).await, Err(AuthError::Unavailable));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_one_fetch() {
    let (setup, issuer) = setup_with(&Key::new("a")).await;
    let client = setup.client().await;
    let token = Key::new("b").sign(&claims(&setup, &client));
    for _ in 0..20 {
        assert_eq!(setup.call(&token, &client).await, Err(AuthError::InvalidToken));
    }
    assert_eq!(issuer.fetches(), 1);
}
