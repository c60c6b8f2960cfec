//! What a caller has already is not sent again (RFC 9110, section 13.1.2), and a request without a body.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::api::support::{detail, details_of};
use crate::harness::requests::minimal;
use crate::harness::service::{Answer, Client, Service};

async fn read(client: &Client, method: Method, path: &str, condition: &str) -> Answer {
    let request = client.request(method, path).header("if-none-match", condition);
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn a_user_that_the_caller_has_is_a_304_without_a_body_until_it_changes() {
    let service = Service::start().await;
    let client = service.client().await;
    let created = client.create(&minimal()).await;
    let path = created.header("location").expect("a location").to_owned();
    let tag = created.header("etag").expect("a tag").to_owned();
    for condition in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        for method in [Method::GET, Method::HEAD] {
            let known = read(&client, method, &path, &condition).await;
            assert_eq!((known.status, known.text.as_str()), (304, ""), "{condition}");
            assert_eq!((known.header("etag"), known.header("cache-control")), (Some(tag.as_str()), Some("no-store")));
            assert_eq!(known.header("content-type"), None);
        }
    }
    let change = client.request(Method::PUT, &path).json(&json!({"phone": "+12025551234"}));
    assert_eq!(Answer::of(change.send().await.expect("an answer")).await.status, 200);
    let changed = read(&client, Method::GET, &path, &tag).await;
    assert_eq!((changed.status, changed.json()["phone"].as_str()), (200, Some("+12025551234")));
}

#[tokio::test]
async fn what_is_not_there_or_not_the_callers_is_a_404_whatever_the_condition() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    let path = client.create(&minimal()).await.header("location").expect("a location").to_owned();
    assert_eq!(read(&other, Method::GET, &path, "*").await.status, 404);
    assert_eq!(read(&client, Method::GET, &format!("/v1/users/{}", Uuid::new_v4()), "*").await.status, 404);
}

#[tokio::test]
async fn a_request_without_a_body_gives_nothing_and_what_is_required_is_missing() {
    let service = Service::start().await;
    let client = service.client().await;
    let bare = async |method: Method, path: &str| {
        Answer::of(client.request(method, path).send().await.expect("an answer")).await
    };
    let kinds = "Invalid discriminator value. Expected 'individual' | 'business'";
    let of_create =
        [detail("idempotency-key", "invalid_type", "Required"), detail("type", "invalid_union_discriminator", kinds)];
    assert_eq!(details_of(&bare(Method::POST, "/v1/users").await), of_create);
    assert_eq!(
        details_of(&bare(Method::POST, "/v1/users:batchCreate").await),
        [detail("users", "invalid_type", "Required")]
    );
    let empty = client.create_raw(&[("idempotency-key", &Uuid::new_v4().to_string())], "").await;
    assert_eq!(details_of(&empty), [detail("type", "invalid_union_discriminator", kinds)]);

    let path = client.create(&minimal()).await.header("location").expect("a location").to_owned();
    for method in [Method::PUT, Method::PATCH] {
        let unchanged = bare(method, &path).await;
        assert_eq!(
            (unchanged.status, unchanged.json()["updated_fields"].clone()),
            (200, json!([])),
            "{}",
            unchanged.text
        );
    }
}
