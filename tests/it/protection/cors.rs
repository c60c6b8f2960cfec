//! Pages in browsers: whose may call, and what they may send and read.

use reqwest::Method;
use uuid::Uuid;

use crate::harness::service::{Answer, Service};

const LIST: (&str, &str) = ("KIRA_CORS_ORIGINS", "https://app.example.com,http://localhost:3000");
const APP: &str = "https://app.example.com";

/// What a browser asks before a page of `origin` may create a user.
async fn preflight(service: &Service, origin: &str) -> Answer {
    let request = service.http.request(Method::OPTIONS, format!("{}/v1/users", service.url()));
    let request = request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key,x-api-key");
    Answer::of(request.send().await.expect("an answer")).await
}

/// The words of a list in a header.
fn words(answer: &Answer, name: &str) -> Vec<String> {
    let list = answer.header(name).unwrap_or_default();
    list.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn a_preflight_is_answered_without_credentials() {
    let service = Service::start_with(&[LIST]).await;
    let answer = preflight(&service, APP).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(APP)));
    let methods = words(&answer, "access-control-allow-methods");
    assert!(["get", "post", "put", "patch", "delete"].iter().all(|method| methods.contains(&(*method).to_owned())));
    let allowed = words(&answer, "access-control-allow-headers");
    for name in [
        "authorization",
        "x-api-key",
        "content-type",
        "idempotency-key",
        "if-match",
        "prefer",
        "x-request-id",
        "traceparent",
    ] {
        assert!(allowed.contains(&name.to_owned()), "{name}");
    }
    assert_eq!(answer.header("vary"), Some("origin"));
    assert!(answer.header("access-control-max-age").is_some());
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_page_may_read_answers_and_refusals_with_their_headers() {
    let service = Service::start_with(&[LIST]).await;
    let client = service.client().await;
    let known = client.request(Method::GET, &format!("/v1/users/{}", Uuid::nil())).header("origin", APP);
    let unknown = service.http.get(format!("{}/v1/events", service.url())).header("origin", APP);
    for (request, status) in [(known, 404), (unknown, 401)] {
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, Some(APP)));
        assert_eq!(answer.header("vary"), Some("origin"));
        let exposed = words(&answer, "access-control-expose-headers");
        for name in ["location", "etag", "x-request-id", "idempotent-replayed", "retry-after", "ratelimit"] {
            assert!(exposed.contains(&name.to_owned()), "{name}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_not_allowed() {
    let service = Service::start_with(&[LIST]).await;
    for origin in ["https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com", "null"] {
        let answer = preflight(&service, origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(answer.header("vary"), Some("origin"), "a cache must not give it to others");
    }
}

#[tokio::test]
async fn every_origin_can_be_allowed() {
    let service = Service::start_with(&[("KIRA_CORS_ORIGINS", "*")]).await;
    let answer = preflight(&service, "https://any.example.com").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(answer.header("vary"), None);
}

#[tokio::test]
async fn no_origin_is_allowed_by_default() {
    let service = Service::start().await;
    let answer = preflight(&service, APP).await;
    assert_eq!(answer.status, 405);
    assert!(
        answer.headers.keys().all(|name| !name.as_str().starts_with("access-control"))
            && !answer.headers.contains_key("vary")
    );
}
