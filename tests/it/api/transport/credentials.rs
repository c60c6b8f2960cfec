//! Who may call, and how often.

use chrono::TimeDelta;
use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use reqwest::Method;
use tonic::Code;
use uuid::Uuid;

use crate::api::support::bodies::individual;
use crate::api::support::{assert_plain, our_details};
use crate::harness::service::{Answer, Service};

#[tokio::test]
async fn every_refusal_of_credentials_says_which_and_how_to_introduce_oneself() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let bearer = |token: &str| format!("Bearer {token}");
    let (token, key) = (bearer(&client.token), client.api_key.clone());
    let url = format!("{}/v1/users/{}", service.url(), Uuid::new_v4());
    for (authorization, api_key, message) in [
        (None, None, "No authorization token provided"),
        (None, Some(&key), "No authorization token provided"),
        (Some(""), Some(&key), "No authorization token provided"),
        (Some("Bearer"), Some(&key), "No authorization token provided"),
        (Some("Bearer x.y.z"), Some(&key), "Invalid token"),
        (Some(token.as_str()), None, "Invalid API key"),
        (Some(token.as_str()), Some(&"nonsense".to_owned()), "Invalid API key"),
        (Some(token.as_str()), Some(&other.api_key), "Invalid API key"),
    ] {
        let mut request = service.http.get(&url);
        let mut call = tonic::Request::new(v1::GetUserRequest { user_id: Some(Uuid::new_v4().to_string()) });
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
            call.metadata_mut().insert("authorization", authorization.parse().expect("metadata"));
        }
        if let Some(api_key) = api_key {
            request = request.header("x-api-key", api_key);
            call.metadata_mut().insert("x-api-key", api_key.parse().expect("metadata"));
        }
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_plain(&answer, 401, "unauthorized", message);
        assert!(answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")), "{message}");
        let status = client.grpc().get_user(call).await.expect_err("a refusal");
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, message));
    }
}

#[tokio::test]
async fn a_token_ends_when_it_said_it_would() {
    let service = Service::start().await;
    let client = service.client().await;
    let path = format!("/v1/users/{}", Uuid::new_v4());
    service.clock.advance(TimeDelta::seconds(3_599));
    assert_eq!(client.get(&path).await.status, 404);
    service.clock.advance(TimeDelta::seconds(120));
    assert_plain(&client.get(&path).await, 401, "unauthorized", "Token expired");
}

#[tokio::test]
async fn credentials_are_asked_for_before_a_body_is_judged() {
    let service = Service::start().await;
    let request = service.http.post(format!("{}/v1/users", service.url())).body("nonsense");
    let answer = Answer::of(request.send().await.expect("an answer")).await;
    assert_plain(&answer, 401, "unauthorized", "No authorization token provided");
}

#[tokio::test]
async fn a_client_that_calls_too_often_is_told_when_to_come_back() {
    let service = Service::start_with(&[("KIRA_RATE_LIMIT_PER_SECOND", "2")]).await;
    let (client, other) = (service.client().await, service.client().await);
    let path = format!("/v1/users/{}", Uuid::new_v4());
    assert_eq!(client.get(&path).await.status, 404);
    assert_eq!(client.get(&path).await.status, 404);

    let refused = client.get(&path).await;
    assert_plain(&refused, 429, "rate_limit_exceeded", "Too many requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let refused = client.create(&individual()).await;
    assert_plain(&refused, 429, "rate_limit_exceeded", "Too many requests");
    // Both protocols count together.
    let call = || client.call(v1::GetUserRequest { user_id: Some(Uuid::new_v4().to_string()) });
    let status = client.grpc().get_user(call()).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = our_details(&status);
    assert_eq!((details.reason, details.retry_after), (ErrorReason::RateLimitExceeded, Some(1)));

    assert_eq!(other.get(&path).await.status, 404, "another client is not harmed");
    service.clock.advance(TimeDelta::seconds(1));
    assert_eq!(client.get(&path).await.status, 404);
    assert_eq!(client.grpc().get_user(call()).await.expect_err("no user").code(), Code::NotFound);
    assert_eq!(client.get(&path).await.status, 429);
}

#[tokio::test]
async fn one_call_a_second_is_one_call_a_second() {
    let service = Service::start_with(&[("KIRA_RATE_LIMIT_PER_SECOND", "1")]).await;
    let client = service.client().await;
    let path = format!("/v1/users/{}", Uuid::new_v4());
    for _ in 0..3 {
        assert_eq!(client.get(&path).await.status, 404);
        let refused = client.get(&path).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
        service.clock.advance(TimeDelta::seconds(1));
    }
}

#[tokio::test]
async fn the_keys_of_tokens_are_public_and_may_be_kept_a_while() {
    let service = Service::start().await;
    let request = service.http.request(Method::GET, format!("{}/.well-known/jwks.json", service.url()));
    let answer = Answer::of(request.send().await.expect("an answer")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(answer.json()["keys"][0]["alg"], "EdDSA");
}
