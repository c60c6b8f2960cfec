//! Authentication and its errors (decisions, section 1).

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kira_gateway::error::ErrorReason;
use kira_gateway::method::Access;
use kira_users::contract::v1;
use reqwest::Method;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::requests::{message, minimal};
use crate::harness::service::{Answer, Client, Service};
use crate::promises::support::refusal;

const KEY: &str = "5f0e8400-e29b-41d4-a716-4466554400ab";

/// Makes a call over each protocol with these headers, and expects both to refuse it with `message`.
pub(crate) async fn assert_refused(
    client: &Client,
    authorization: Option<&str>,
    api_key: Option<&str>,
    expected: &str,
    why: &str,
) {
    let mut rest = client.http.post(format!("{}/v1/users", client.base)).json(&minimal());
    let mut grpc = tonic::Request::new(v1::CreateUserRequest {
        idempotency_key: Some(KEY.to_owned()),
        user: Some(message(&minimal())),
    });
    rest = rest.header("idempotency-key", KEY);
    for (name, value) in [("authorization", authorization), ("x-api-key", api_key)] {
        if let Some(value) = value {
            rest = rest.header(name, value);
            grpc.metadata_mut().insert(name, value.parse().expect("metadata"));
        }
    }
    let answer = Answer::of(rest.send().await.expect("an answer")).await;
    assert_eq!(answer.json(), json!({"code": "unauthorized", "message": expected}), "{why}");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{why}");
    let refused = client.grpc().create_user(grpc).await.expect_err(why);
    assert_eq!(refusal(&refused), (Code::Unauthenticated, ErrorReason::Unauthorized, expected.to_owned()), "{why}");
}

fn encode(value: &Value) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string())
}

#[tokio::test]
async fn without_a_token_a_caller_is_told_so_whatever_its_api_key() {
    let service = Service::start().await;
    let client = service.client().await;
    for authorization in [None, Some("Basic a2lyYTpraXJh"), Some("Bearer"), Some(client.token.as_str())] {
        for api_key in [None, Some("wrong"), Some(client.api_key.as_str())] {
            assert_refused(&client, authorization, api_key, "No authorization token provided", "no token").await;
        }
    }
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_invalid() {
    let service = Service::start().await;
    let client = service.client().await;
    let kid = jsonwebtoken::decode_header(&client.token).expect("a token").kid;
    let (header, rest) = client.token.split_once('.').expect("three parts");
    let (claims, signature) = rest.split_once('.').expect("three parts");
    let decoded: Value = jsonwebtoken::dangerous::insecure_decode_claims(&client.token).expect("claims");
    let mut other_claims = decoded.clone();
    other_claims["client_id"] = json!(service.client().await.id);
    // Another installation's key under the id of ours, and under its own.
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("a key");
    let foreign = |kid: Option<String>| {
        let header = Header { kid, ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &decoded, &EncodingKey::from_ed_der(pkcs8.as_ref())).expect("a token")
    };
    for (why, token) in [
        ("garbage", "garbage".to_owned()),
        ("three times garbage", "a.b.c".to_owned()),
        ("a forged key under our id", foreign(kid.clone())),
        ("a forged id", foreign(Some("forged".to_owned()))),
        ("no key id", foreign(None)),
        ("alg none", format!("{}.{claims}.", encode(&json!({"alg": "none", "typ": "JWT", "kid": kid})))),
        ("no signature", format!("{header}.{claims}.")),
        ("other claims", format!("{header}.{}.{signature}", encode(&other_claims))),
        ("two tokens", format!("{0}.{0}", client.token)),
        ("larger than any token", "x".repeat(20_000)),
    ] {
        let authorization = format!("Bearer {token}");
        assert_refused(&client, Some(&authorization), Some(&client.api_key), "Invalid token", why).await;
    }
}

#[tokio::test]
async fn the_token_is_judged_before_the_api_key() {
    let service = Service::start().await;
    let client = service.client().await;
    for api_key in [None, Some("wrong")] {
        assert_refused(&client, Some("Bearer garbage"), api_key, "Invalid token", "both are wrong").await;
    }
}

#[tokio::test]
async fn two_tokens_or_two_api_keys_are_as_good_as_wrong_ones() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = format!("/v1/users/{}", client.id);
    let keys = client.request(Method::GET, &user).header("x-api-key", "other").send().await.expect("an answer");
    assert_eq!(Answer::of(keys).await.json()["message"], "Invalid API key");
    let tokens = client.request(Method::GET, &user).header("authorization", "Bearer other").send().await;
    assert_eq!(Answer::of(tokens.expect("an answer")).await.status, 401);
}

#[tokio::test]
async fn a_token_expires_when_its_time_is_over_and_not_before() {
    let service = Service::start().await;
    let client = service.client().await;
    service.clock.advance(TimeDelta::seconds(3_599));
    assert_eq!(client.get(&format!("/v1/users/{}", client.id)).await.status, 404);
    service.clock.advance(TimeDelta::seconds(1));
    let authorization = format!("Bearer {}", client.token);
    assert_refused(&client, Some(&authorization), Some(&client.api_key), "Token expired", "over").await;
    assert_refused(&client, Some(&authorization), Some("wrong"), "Token expired", "the token comes first").await;
}

#[tokio::test]
async fn an_api_key_must_be_known_and_the_tokens_own() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let authorization = format!("Bearer {}", client.token);
    for (why, api_key) in [
        ("none", None),
        ("an empty one", Some("")),
        ("an unknown one", Some("kira_unknown")),
        ("another client's", Some(other.api_key.as_str())),
        ("the password", Some(client.password.as_str())),
    ] {
        assert_refused(&client, Some(&authorization), api_key, "Invalid API key", why).await;
    }
}

#[tokio::test]
async fn every_call_but_the_public_ones_needs_credentials_over_both_protocols() {
    let service = Service::start().await;
    let methods = [v1::users_service_rest::METHODS, v1::auth_service_rest::METHODS].concat();
    let mut public = Vec::new();
    for method in &methods {
        // Refused before anything is read of the body: an empty one of gRPC over any version of HTTP will do.
        let request = service.http.post(format!("http://{}{}", service.running.grpc_addr, method.grpc_path));
        let answer = Answer::of(
            request.header("content-type", "application/grpc").body(vec![0_u8; 5]).send().await.expect("an answer"),
        )
        .await;
        let refused = answer.header("grpc-status") == Some("16") && answer.text.is_empty();
        assert_eq!(refused, method.access == Access::Client, "{}", method.name);
        if method.access == Access::Public {
            public.push(method.name);
        }
    }
    assert_eq!(public, ["CreateToken", "GetTokenKeys"], "what is public is on this list");
    let user = uuid::Uuid::nil();
    for (method, path) in [(Method::POST, "/v1/users".to_owned()), (Method::GET, format!("/v1/users/{user}"))] {
        let answer = service.http.request(method, format!("{}{path}", service.url())).send().await;
        assert_eq!(Answer::of(answer.expect("an answer")).await.status, 401, "{path}");
    }
    for url in [
        format!("{}/.well-known/jwks.json", service.url()),
        format!("{}/healthz", service.admin_url()),
        format!("{}/readyz", service.admin_url()),
    ] {
        assert_eq!(service.http.get(&url).send().await.expect("an answer").status(), 200, "{url}");
    }
}
