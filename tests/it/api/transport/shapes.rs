//! Every error over REST has one of the two documented shapes.

use reqwest::Method;
use uuid::Uuid;

use crate::api::support::bodies::individual;
use crate::api::support::keys;
use crate::harness::service::{Answer, Service};

#[tokio::test]
async fn every_error_has_a_documented_shape_and_headers_that_fit() {
    let service = Service::start_with(&[("KIRA_MAX_BODY_BYTES", "64KiB")]).await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    assert_eq!(client.create_with(key, &individual()).await.status, 201);
    let other = crate::api::support::bodies::business();
    let id = Uuid::new_v4();
    let bare = service.http.get(format!("{}/v1/users/{id}", service.url()));
    let answers = [
        (400, client.create(&serde_json::json!({})).await),
        (400, client.create_raw(&[], "{").await),
        (400, client.get("/v1/users/1").await),
        (400, client.get("/v1/users/%ff").await),
        (401, Answer::of(bare.send().await.expect("an answer")).await),
        (401, client.authenticate("wrong").await),
        (404, client.get("/nowhere").await),
        (404, client.get(&format!("/v1/users/{id}")).await),
        (405, client.get("/auth").await),
        (409, client.create_with(key, &other).await),
        (413, client.create_raw(&[], " ".repeat(64 * 1024 + 1)).await),
        (415, Answer::of(client.request(Method::POST, "/v1/users").body("{}").send().await.expect("an answer")).await),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{}", answer.text);
        let body = answer.json();
        if status == 400 {
            assert_eq!(keys(&body), ["details", "error"]);
            assert!(!body["details"].as_array().expect("a list").is_empty());
        } else {
            assert_eq!(keys(&body), ["code", "message"]);
            assert!(body["code"].as_str().is_some_and(|code| !code.is_empty()));
            assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
        assert_eq!(answer.header("content-type"), Some("application/json"), "{status}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{status}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{status}");
        assert!(answer.header("x-request-id").is_some(), "{status}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{status}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{status}");
    }
}

#[tokio::test]
async fn an_error_repeats_nothing_personal_but_a_wrong_value_of_a_list() {
    let service = Service::start().await;
    let client = service.client().await;
    let secret = "Xochitl-secret";
    let mut body = individual();
    for name in ["email", "phone", "birth_date", "nationality", "address_country"] {
        body[name] = secret.into();
    }
    body["first_name"] = format!("{secret}\u{0}").into();
    body["metadata"] = serde_json::json!({"note": format!("{secret}\u{0}")});
    let answer = client.create(&body).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.text.contains(secret), "{}", answer.text);
}

#[tokio::test]
async fn the_head_of_an_error_is_that_of_the_error() {
    let service = Service::start().await;
    let client = service.client().await;
    for (path, status) in [("/v1/users/1", 400), ("/nowhere", 404), ("/auth", 405)] {
        let request = client.request(Method::HEAD, path);
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, ""));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}
