//! Paths, methods, media types, queries.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::api::support::bodies::individual;
use crate::api::support::{assert_plain, detail, details_of};
use crate::harness::service::{Answer, Service};

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn an_unknown_path_is_not_found_with_and_without_credentials() {
    let service = Service::start().await;
    let client = service.client().await;
    for path in ["/", "/v1", "/v1/", "/v1/user", "/v1/users/", "/v1//users", "/v1/users/a/b", "/V1/users", "/v2/users"]
    {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let with = answer(client.request(method.clone(), path)).await;
            assert_plain(&with, 404, "not_found", "Route not found");
            let without = answer(service.http.request(method, format!("{}{path}", service.url()))).await;
            assert_plain(&without, 404, "not_found", "Route not found");
        }
    }
}

#[tokio::test]
async fn another_method_of_a_known_path_is_told_which_are_allowed() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = format!("/v1/users/{}", Uuid::new_v4());
    for (path, methods, allow) in [
        ("/v1/users", vec![Method::PATCH, Method::PUT, Method::DELETE], "GET, HEAD, POST"),
        (user.as_str(), vec![Method::POST, Method::OPTIONS], "DELETE, GET, HEAD, PATCH, PUT"),
        ("/auth", vec![Method::GET, Method::PUT, Method::PATCH], "POST"),
    ] {
        for method in methods {
            let answer = answer(client.request(method.clone(), path)).await;
            assert_plain(&answer, 405, "method_not_allowed", &format!("Method {method} is not allowed here"));
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    }
    let unknown = Method::from_bytes(b"BREW").expect("a token");
    assert_plain(&answer(client.request(unknown, "/v1/users")).await, 405, "method_not_allowed", "Method not allowed");
}

#[tokio::test]
async fn only_json_is_taken() {
    let service = Service::start().await;
    let client = service.client().await;
    let create = |content_type: Option<&'static str>| {
        let request = client.request(Method::POST, "/v1/users").header("idempotency-key", Uuid::new_v4().to_string());
        let request = request.body(individual().to_string());
        match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        }
    };
    for wrong in [
        None,
        Some(""),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/merge-patch+json"),
        Some("multipart/form-data; boundary=x"),
    ] {
        let answer = answer(create(wrong)).await;
        assert_plain(&answer, 415, "unsupported_media_type", "Content-Type must be application/json");
    }
    for right in ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=\"UTF-8\""] {
        assert_eq!(answer(create(Some(right))).await.status, 201, "{right}");
    }
}

#[tokio::test]
async fn an_unknown_parameter_of_the_query_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = Uuid::new_v4();
    let found = details_of(&client.get(&format!("/v1/users/{id}?expand=all&x")).await);
    assert_eq!(
        found,
        [
            detail("expand", "unrecognized_keys", "Unrecognized key(s): 'expand'"),
            detail("x", "unrecognized_keys", "Unrecognized key(s): 'x'"),
        ]
    );
    let given_twice = details_of(&client.get(&format!("/v1/users/{id}?user_id={id}")).await);
    assert_eq!(given_twice, [detail("user_id", "custom", "Must be given once")]);
    let malformed = details_of(&client.get(&format!("/v1/users/{id}?a=%ff")).await);
    assert_eq!(malformed, [detail("", "custom", "The query must be percent-encoded UTF-8")]);
    let key = Uuid::new_v4().to_string();
    let create = client.request(Method::POST, "/v1/users?dry_run=1").header("idempotency-key", key).json(&individual());
    let found = details_of(&answer(create).await);
    assert_eq!(found, [detail("dry_run", "unrecognized_keys", "Unrecognized key(s): 'dry_run'")]);
    // A body is not given in the query.
    let key = Uuid::new_v4().to_string();
    let create =
        client.request(Method::POST, "/v1/users?email=a@b.co").header("idempotency-key", key).json(&individual());
    assert_eq!(details_of(&answer(create).await)[0].2, "unrecognized_keys");
}

#[tokio::test]
async fn a_malformed_user_id_is_told_in_the_words_of_the_live_service() {
    let service = Service::start().await;
    let client = service.client().await;
    let simple = Uuid::new_v4().simple().to_string();
    for id in ["1", "me", "%20", "550e8400-e29b-41d4-a716-44665544000g", "550e8400-e29b-41d4-a716", "%00", &simple] {
        let found = details_of(&client.get(&format!("/v1/users/{id}")).await);
        assert_eq!(found, [detail("user_id", "invalid_string", "Invalid user ID format")], "{id}");
    }
    let id = Uuid::new_v4();
    let text = format!("User with ID {id} not found");
    assert_plain(&client.get(&format!("/v1/users/{}", id.to_string().to_uppercase())).await, 404, "not_found", &text);
    assert_eq!(details_of(&client.get("/v1/users/%ff").await)[0].2, "custom");
}

#[tokio::test]
async fn a_request_id_is_taken_if_sane_and_returned_on_every_answer() {
    let service = Service::start().await;
    let client = service.client().await;
    let longest = "x".repeat(128);
    for sane in ["abc", "A-b_c.9", &longest] {
        for path in ["/v1/users/1", "/nowhere", "/.well-known/jwks.json"] {
            let answer = answer(client.request(Method::GET, path).header("x-request-id", sane)).await;
            assert_eq!(answer.header("x-request-id"), Some(sane), "{path}");
        }
    }
    let too_long = "x".repeat(129);
    for other in ["", "a b", "<script>", "a,b", "a:b", &too_long] {
        let answer = answer(client.request(Method::GET, "/nowhere").header("x-request-id", other)).await;
        let id = answer.header("x-request-id").expect("an id");
        assert!(Uuid::try_parse(id).is_ok(), "{id} in place of {other}");
    }
    for made in [client.create(&individual()).await, client.create(&json!({})).await, client.get("/v1/users").await] {
        assert!(made.header("x-request-id").is_some_and(|id| Uuid::try_parse(id).is_ok()), "{}", made.status);
    }
}

#[tokio::test]
async fn an_idempotency_key_given_twice_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let (one, other) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let create = client.request(Method::POST, "/v1/users").json(&individual());
    let found = details_of(&answer(create.header("idempotency-key", one).header("idempotency-key", other)).await);
    assert_eq!(found[0].0, "idempotency-key");
    assert_eq!(found[0].1, "Must be given once");
}

#[tokio::test]
async fn the_id_of_the_path_may_stand_in_the_body_too() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = client.create(&individual()).await.json()["id"].as_str().expect("an id").to_owned();
    let put = |given: String| {
        let body = json!({"user_id": given, "last_name": "King"});
        answer(client.request(Method::PUT, &format!("/v1/users/{id}")).json(&body))
    };
    assert_eq!(put(id.clone()).await.status, 200);
    assert_eq!(put(id.to_uppercase()).await.status, 200);
    let other = details_of(&put(Uuid::new_v4().to_string()).await);
    assert_eq!(other, [detail("user_id", "custom", "Must be the same as in the path")]);
}

#[tokio::test]
async fn a_call_of_which_nothing_is_required_needs_no_body() {
    let service = Service::start_with(&[("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8")]).await;
    let client = service.client().await;
    let endpoint = client.request(Method::POST, "/v1/webhooks/endpoints").json(&json!({"url": "http://127.0.0.1:9/"}));
    let made = answer(endpoint).await.json();
    let id = made["endpoint"]["id"].as_str().or(made["id"].as_str()).expect("an id").to_owned();
    let path = format!("/v1/webhooks/endpoints/{id}:rotateSecret");
    let bare = answer(client.request(Method::POST, &path)).await;
    assert_eq!(bare.status, 200, "{}", bare.text);
    let typed = answer(client.request(Method::POST, &path).header("content-type", "application/json")).await;
    assert_eq!(typed.status, 200, "{}", typed.text);
}
