//! The history of a user: names and reasons, never values.

use chrono::TimeDelta;
use kira_users::contract::v1;
use kira_users::contract::v1::history_service_client::HistoryServiceClient;
use kira_users::domain::verification::{Assurance, Outcome, Reason};
use kira_users::store::ProviderAnswer;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use crate::harness::requests::{EXAMPLES, example, minimal};
use crate::harness::service::{Client, Service};
use crate::reviews::support::act;
use crate::updates::support::{created, problem, problems_of, send, shown, updated};

async fn history(client: &Client, id: &str) -> Vec<Value> {
    let answer = client.get(&format!("/v1/users/{id}/history?limit=100")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().expect("a list").clone()
}

/// What each entry says of these keys, oldest first.
fn said<const N: usize>(entries: &[Value], keys: [&str; N]) -> Vec<Value> {
    entries.iter().rev().map(|entry| keys.iter().map(|key| entry[*key].clone()).collect()).collect()
}

#[tokio::test]
async fn a_whole_life_is_told_by_names_and_reasons_without_a_value() {
    let service = Service::start().await;
    let (client, reviewer) = (service.client().await, service.reviewer("Zqjann").await);
    let mut body = example(EXAMPLES[3]);
    body["business_legal_name"] = json!("Zqjxkvwyq Ltd");
    body["associated_persons"][0]["last_name"] = json!("Zqjxkvwyq");
    let id = created(&client, &body).await;
    service.clock.advance(TimeDelta::minutes(1));
    let person = shown(&client, &id).await["associated_persons"][0]["id"].as_str().expect("an id").to_owned();
    let change = json!({"business_description": "zqjxkvwyq-2", "metadata": {"note": "zqjxkvwyq-3"},
        "associated_persons": [{"id": person, "title": "zqjxkvwyq-4"}]});
    updated(&client, &id, &change).await;
    // The provider asks for a review, and a reviewer decides.
    let store = &service.running.resources.store;
    let user_id = Uuid::parse_str(&id).expect("an id");
    let attempt = store.find_user(client.id, user_id).await.expect("a read").expect("the user").attempt_id;
    let attempt = attempt.expect("the example triggers a verification");
    let reason = Reason { path: Some("ein".to_owned()), ..Reason::new("planned", "A person must look at it") };
    let outcome = Outcome::review(Assurance::Simulated, reason);
    let env = service.clock.as_ref();
    let decided = store.decide_verification(env, client.id, user_id, attempt, &outcome, ProviderAnswer::default());
    assert!(decided.await.expect("an answer"));
    let review = attempt.to_string();
    let answer = act(&reviewer, &review, "reject", json!({"reason": "Unreadable", "note": "zqjxkvwyq-5"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let entries = history(&client, &id).await;
    let keys = ["version", "action", "actor", "previous_status", "status"];
    let expected = [
        json!([1, "created", "client", null, "CREATED"]),
        json!([2, "updated", "client", null, "CREATED"]),
        json!([3, "verification_decided", "provider", "CREATED", "REVIEW"]),
        json!([5, "review_decided", "reviewer", "REVIEW", "REJECTED"]),
    ];
    assert_eq!(said(&entries, keys), expected);
    let [rejected, reviewed, changed, first] = &entries[..] else { panic!("four entries") };
    assert_eq!(rejected["reasons"], json!([{"code": "rejected_by_reviewer", "message": "Unreadable"}]));
    // The decision has not erased why there was a review: neither here nor at the attempt.
    let planned = json!({"code": "planned", "message": "A person must look at it", "path": "ein"});
    assert_eq!(reviewed["reasons"], json!([planned]));
    let attempts = client.get(&format!("/v1/users/{id}/verifications")).await.json();
    assert_eq!(attempts["data"][0]["reasons"], json!([rejected["reasons"][0], planned]));
    assert!(entries.iter().all(|entry| entry["verification_id"] == json!(review) || entry == changed));
    let title = format!("associated_persons.{person}.title");
    assert_eq!(changed["fields"], json!(["business_description", title, "metadata"]));
    assert_eq!(changed["created_at"], "2026-11-23T10:01:00Z");
    let brought = first["fields"].as_array().expect("a list");
    for name in ["business_legal_name", "address_city", "associated_persons", "identifying_information"] {
        assert!(brought.contains(&json!(name)), "{name} in {brought:?}");
    }
    assert!(!brought.contains(&json!("ein")) && !brought.contains(&json!("metadata")), "{brought:?}");
    // Neither a value nor the name of the reviewer.
    let told = json!(entries).to_string().to_lowercase();
    assert!(!told.contains("zqj"), "{told}");
    let rows = crate::updates::support::texts(&service, "SELECT CAST(fields AS TEXT) FROM user_history").await;
    assert!(rows.len() == 4 && rows.iter().all(|row| !row.to_lowercase().contains("zqj")), "{rows:?}");
}

#[tokio::test]
async fn workers_and_requests_are_in_the_history_and_what_changes_nothing_is_not() {
    let service = Service::start_with(&[("KIRA_SANDBOX_DELAY", "0s")]).await;
    let client = service.client().await;
    let mut body = example(EXAMPLES[0]);
    body["last_name"] = json!("Doe REJECT");
    let id = created(&client, &body).await;
    service.running.worker.drain().await.expect("the database answers");
    updated(&client, &id, &json!({})).await;
    let key = Uuid::new_v4().to_string();
    let path = format!("/v1/users/{id}/verifications");
    let headers = [("idempotency-key", key.as_str())];
    assert_eq!(send(&client, Method::POST, &path, &headers, &json!({"type": "api"})).await.status, 201);
    let entries = history(&client, &id).await;
    let expected = [
        json!(["created", "client", null, "CREATED"]),
        json!(["verification_begun", "worker", null, "VERIFYING"]),
        json!(["verification_decided", "provider", "sandbox", "REJECTED"]),
        json!(["verification_requested", "client", null, "VERIFYING"]),
    ];
    assert_eq!(said(&entries, ["action", "actor", "provider", "status"]), expected);
    let versions: Vec<_> = entries.iter().map(|entry| entry["version"].as_u64().expect("a number")).collect();
    assert!(versions.is_sorted_by(|newer, older| newer > older), "{versions:?}");
    let etag = client.get(&format!("/v1/users/{id}")).await;
    assert_eq!(etag.header("etag"), Some(format!("\"{}\"", versions[0]).as_str()));
    // Past its deadline the new attempt becomes a review.
    service.clock.advance(TimeDelta::days(30));
    let store = &service.running.resources.store;
    assert_eq!(store.review_overdue_verifications(service.clock.as_ref(), 10).await.expect("a search"), 1);
    let token = service.client_of(&credentials(&client)).await;
    let newest = history(&token, &id).await[0].clone();
    assert_eq!((&newest["action"], &newest["actor"]), (&json!("verification_overdue"), &json!("worker")));
    assert_eq!(newest["reasons"][0]["code"], "verification_timeout");
}

fn credentials(client: &Client) -> kira_users::auth::Credentials {
    kira_users::auth::Credentials {
        client_id: client.id,
        password: client.password.clone(),
        api_key: client.api_key.clone(),
    }
}

#[tokio::test]
async fn the_history_is_read_page_by_page_and_by_its_owner_alone() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    for number in 0..4 {
        updated(&client, &id, &json!({"phone": format!("+1202555019{number}")})).await;
    }
    let path = format!("/v1/users/{id}/history");
    let (mut versions, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}?limit=2{cursor}")).await.json();
        let entries = page["data"].as_array().expect("a list");
        versions.extend(entries.iter().map(|entry| entry["version"].as_u64().expect("a number")));
        assert_eq!(page["has_more"], page.get("next_cursor").is_some());
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        // What is written meanwhile does not move the pages.
        updated(&client, &id, &json!({"metadata": {"n": versions.len()}})).await;
    }
    assert_eq!(versions, [5, 4, 3, 2, 1]);
    assert_eq!(problems_of(&client.get(&format!("{path}?limit=101")).await), [problem("limit", "too_big")]);
    assert_eq!(problems_of(&client.get(&format!("{path}?cursor=x")).await), [problem("cursor", "invalid_string")]);
    let other = service.client().await;
    assert_eq!(other.get(&path).await.status, 404);
    let mut grpc = HistoryServiceClient::new(client.channel.clone());
    let request = |limit| v1::ListUserHistoryRequest { user_id: Some(id.clone()), limit, cursor: None };
    let list = grpc.list_user_history(client.call(request(Some(2)))).await.expect("a list").into_inner();
    assert_eq!((list.data.len(), list.has_more), (2, true));
    assert_eq!(list.data[0].action().json_name(), "updated");
    let refused = grpc.list_user_history(other.call(request(None))).await.expect_err("another client");
    assert_eq!(refused.code(), Code::NotFound);
}
