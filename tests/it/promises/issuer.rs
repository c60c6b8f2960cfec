//! Tokens of an outside issuer, whose keys come from an HTTP server of the test.

use std::net::SocketAddr;

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kira_users::env::Env;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::requests::minimal;
use crate::harness::service::{Client, Service};
use crate::promises::authentication::assert_refused;

const ISSUER: &str = "https://id.example.com/";

/// A P-256 key pair of the issuer.
struct Key {
    private: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new() -> Self {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a key");
        let encode = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        let point = pair.public_key().as_ref();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": "outside", "x": encode(&point[1..33]),
            "y": encode(&point[33..]),
        });
        Self { private: EncodingKey::from_ec_der(pkcs8.as_ref()), jwk }
    }

    /// The client with a token of this key and these claims.
    fn sign(&self, client: &Client, claims: &Value) -> Client {
        let header = Header { kid: Some("outside".to_owned()), ..Header::new(Algorithm::ES256) };
        let token = jsonwebtoken::encode(&header, claims, &self.private).expect("a token");
        Client { token, ..client.clone() }
    }
}

/// Serves a document that may change. What the request says does not matter.
async fn serve(document: watch::Receiver<Option<String>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let document = document.borrow().clone();
            let (status, body) = document.map_or((503, String::new()), |document| (200, document));
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// A service that trusts the issuer, and what the issuer publishes.
async fn setup(key: &Key) -> (Service, watch::Sender<Option<String>>) {
    let (publish, document) = watch::channel(Some(json!({"keys": [key.jwk]}).to_string()));
    let url = format!("http://{}/keys", serve(document).await);
    let service = Service::start_with(&[
        ("KIRA_JWKS_URL", &url),
        ("KIRA_JWT_ISSUER", ISSUER),
        ("KIRA_JWT_AUDIENCE", "kira"),
        ("KIRA_JWT_CLIENT_ID_CLAIM", "app.client_id"),
    ])
    .await;
    (service, publish)
}

fn claims(service: &Service, client: &Client) -> Value {
    let now = service.clock.now().timestamp();
    json!({"iss": ISSUER, "aud": ["other", "kira"], "exp": now + 600, "app": {"client_id": client.id}})
}

async fn assert_message(client: &Client, message: &str, why: &str) {
    assert_refused(client, Some(&format!("Bearer {}", client.token)), Some(&client.api_key), message, why).await;
}

#[tokio::test]
async fn a_client_creates_a_user_with_a_token_of_the_issuer() {
    let key = Key::new();
    let (service, _publish) = setup(&key).await;
    let own = service.client().await;
    let outside = key.sign(&own, &claims(&service, &own));
    let created = outside.create(&minimal()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let place = created.header("location").expect("a place").to_owned();
    assert_eq!(own.get(&place).await.status, 200, "our own token of the same client shows the same user");
}

#[tokio::test]
async fn a_token_of_the_issuer_needs_the_clients_own_api_key() {
    let key = Key::new();
    let (service, _publish) = setup(&key).await;
    let (client, other) = (service.client().await, service.client().await);
    let outside = key.sign(&client, &claims(&service, &client));
    assert_message(&Client { api_key: other.api_key, ..outside }, "Invalid API key", "another client's").await;
}

#[tokio::test]
async fn a_token_of_the_issuer_that_names_no_client_is_told_so() {
    let key = Key::new();
    let (service, _publish) = setup(&key).await;
    let client = service.client().await;
    for app in [json!(null), json!({}), json!({"client_id": 7}), json!({"client_id": "acme"})] {
        let mut claims = claims(&service, &client);
        claims["app"] = app.clone();
        let outside = key.sign(&client, &claims);
        assert_message(&outside, "No client ID found in claims", &app.to_string()).await;
    }
}

#[tokio::test]
async fn a_token_for_others_or_of_others_is_invalid_and_an_old_one_expired() {
    let key = Key::new();
    let (service, _publish) = setup(&key).await;
    let client = service.client().await;
    let good = claims(&service, &client);
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        key.sign(&client, &claims)
    };
    assert_message(&changed("aud", json!("other")), "Invalid token", "another audience").await;
    assert_message(&changed("iss", json!("https://elsewhere.example.com/")), "Invalid token", "another issuer").await;
    assert_message(&changed("iss", json!("kira-users")), "Invalid token", "our own issuer").await;
    assert_message(&Key::new().sign(&client, &good), "Invalid token", "another key under the same id").await;
    // The issuer's clock may differ by half a minute.
    service.clock.advance(TimeDelta::seconds(631));
    assert_message(&key.sign(&client, &good), "Token expired", "over").await;
}

#[tokio::test]
async fn an_issuer_that_is_down_makes_its_tokens_unavailable_and_not_wrong() {
    let key = Key::new();
    let (service, publish) = setup(&key).await;
    let client = service.client().await;
    let document = publish.send_replace(None);
    let mut other = key.sign(&client, &claims(&service, &client));
    let header = Header { kid: Some("new".to_owned()), ..Header::new(Algorithm::ES256) };
    other.token = jsonwebtoken::encode(&header, &claims(&service, &client), &key.private).expect("a token");
    service.clock.advance(TimeDelta::seconds(30));
    let answer = other.get("/v1/users/x").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.json()["code"], "unavailable");
    let document = document.expect("a document").replace("\"outside\"", "\"new\"");
    publish.send_replace(Some(document));
    service.clock.advance(TimeDelta::seconds(30));
    assert_eq!(other.create(&minimal()).await.status, 201, "the issuer is back with the new key");
}
