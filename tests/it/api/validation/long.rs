//! Texts and lists that are far beyond their limits: the length is judged first, and nothing else is looked for in them.

use kira_users::contract::v1;
use kira_users::contract::v1::webhooks_service_client::WebhooksServiceClient;
use serde_json::{Value, json};
use uuid::Uuid;

use super::table::{Kind, tables};
use crate::api::support::bodies::{business, individual, with};
use crate::api::support::{detail, details_of, grpc_create, message_of, short, violations_of};
use crate::harness::service::{Answer, Service};

/// Many times the longest limit of a text, and of no form: not a URL, an address, a number or a day.
const LENGTH: usize = 300_000;

#[tokio::test]
async fn a_text_that_is_too_long_has_one_problem_and_no_other() {
    let service = Service::start().await;
    let client = service.client().await;
    let text = format!("../{}", "é".repeat(LENGTH));
    for table in tables() {
        for field in table.fields.iter().filter(|field| field.kind.is_text()) {
            let path = format!("{}{}", table.prefix, field.name);
            let body = with(&table.body, &path, json!(text));
            let found = details_of(&client.create(&body).await);
            let is_limited = field.kind.longest().is_some();
            let code = found.first().map(|(_, _, code)| code.as_str());
            assert_eq!((found.len(), code == Some("too_big")), (1, is_limited), "{path}: {found:?}");
            let Some(message) = message_of(&body) else {
                assert!(matches!(field.kind, Kind::OneOf(_)), "only a value of a list cannot be said in protobuf");
                continue;
            };
            let status = grpc_create(&client, message).await.expect_err("a refusal");
            assert_eq!(violations_of(&status), found, "over gRPC for {}", short(&body));
        }
    }
}

#[tokio::test]
async fn a_url_of_megabytes_that_climbs_up_all_the_way_is_refused_for_its_length() {
    let service = Service::start().await;
    let client = service.client().await;
    let url = format!("http://{}/{}", "a".repeat(2_000_000), "../".repeat(300_000));
    let too_big = |path: &str| vec![detail(path, "too_big", "String must contain at most 2048 character(s)")];
    let post = async |path: &str, body: Value| {
        let request = client.request(reqwest::Method::POST, path).header("idempotency-key", Uuid::new_v4().to_string());
        details_of(&Answer::of(request.json(&body).send().await.expect("an answer")).await)
    };
    let website = with(&business(), "business_website", json!(url));
    assert_eq!(post("/v1/users:validate", website.clone()).await, too_big("business_website"));
    let message = message_of(&website).expect("a message");
    assert_eq!(violations_of(&grpc_create(&client, message).await.expect_err("refused")), too_big("business_website"));
    assert_eq!(post("/v1/webhooks/endpoints", json!({"url": url})).await, too_big("url"));
    let mut webhooks = WebhooksServiceClient::new(client.channel.clone());
    let endpoint = v1::CreateWebhookEndpointRequest { url: Some(url.clone()), ..Default::default() };
    let refused = webhooks.create_webhook_endpoint(client.call(endpoint)).await.expect_err("refused");
    assert_eq!(violations_of(&refused), too_big("url"));
    let user = client.create(&individual()).await.json();
    let verifications = format!("/v1/users/{}/verifications", user["id"].as_str().expect("an id"));
    let link = json!({"type": "embedded-link", "redirect_uri": url});
    assert_eq!(post(&verifications, link).await, too_big("redirect_uri"));
}

#[tokio::test]
async fn a_hundred_thousand_wrong_elements_make_a_small_answer() {
    let service = Service::start().await;
    let client = service.client().await;
    for element in [json!("x"), json!(1)] {
        let body = with(&business(), "business_industry", Value::Array(vec![element; 99_000]));
        let answer = client.create(&body).await;
        assert!(answer.text.len() < 512 * 1024, "{} bytes", answer.text.len());
        let found = details_of(&answer);
        assert!(found.last().expect("a last one").1.ends_with("more problem(s) are not listed"), "{:?}", found.last());
    }
}

#[tokio::test]
async fn a_long_key_of_the_callers_is_not_repeated_for_each_problem_below_it() {
    let service = Service::start().await;
    let client = service.client().await;
    let entries: serde_json::Map<_, _> = (0..500).map(|index| (format!("k{index}"), json!("\u{0}"))).collect();
    let body = with(&individual(), "metadata", json!({ "k".repeat(LENGTH): entries }));
    let answer = client.create(&body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.len() < 128 * 1024, "{} bytes", answer.text.len());
    assert!(answer.text.contains(&format!("metadata.{}….k7", "k".repeat(64))), "{}", &answer.text[..300]);
}

#[tokio::test]
async fn a_change_speaks_of_a_bounded_number_of_elements() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = client.create(&business()).await.json();
    let path = format!("/v1/users/{}", user["id"].as_str().expect("an id"));
    let change = |count| json!({"type": "business", "associated_persons": vec![json!({"id": "x"}); count]});
    let put = async |count| {
        let request = client.request(reqwest::Method::PUT, &path).header("idempotency-key", Uuid::new_v4().to_string());
        details_of(&Answer::of(request.json(&change(count)).send().await.expect("an answer")).await)
    };
    assert_eq!(put(200).await.len(), 200);
    assert_eq!(put(201).await, [detail("associated_persons", "too_big", "Array must contain at most 200 element(s)")]);
}
