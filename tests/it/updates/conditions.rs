//! Versions: lost updates, and changes at the same time.

use futures_util::future::join_all;
use kira_gateway::error::{ErrorReason, details};
use kira_users::contract::v1;
use kira_users::contract::v1::update_user_request::User as Change;
use kira_users::domain::verification::Decision;
use serde_json::json;
use tonic::Code;

use crate::harness::database::ALL_EVENTS;
use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg, minimal};
use crate::harness::service::{Answer, Service};
use crate::updates::support::{claim, created, put, put_with, settle, shown, stored_files, texts, updated};

fn tag(answer: &Answer) -> String {
    answer.header("etag").expect("an etag").to_owned()
}

#[tokio::test]
async fn every_answer_with_a_user_has_its_version() {
    let service = Service::start().await;
    let client = service.client().await;
    let created = client.create(&minimal()).await;
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(tag(&created), "\"1\"");
    let changed = put(&client, &id, &json!({"last_name": "King"})).await;
    assert_ne!(tag(&changed), tag(&created));
    let read = client.get(&format!("/v1/users/{id}")).await;
    assert_eq!(tag(&read), tag(&changed));
}

#[tokio::test]
async fn a_change_of_what_has_changed_since_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let first = client.create(&minimal()).await;
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    updated(&client, &id, &json!({"last_name": "King"})).await;
    let refused = put_with(&client, &id, &[("if-match", &tag(&first))], &json!({"last_name": "Byron"})).await;
    assert_eq!(refused.status, 412);
    assert_eq!(refused.json()["code"], "precondition_failed");
    assert_eq!(shown(&client, &id).await["last_name"], "King");
    let now = tag(&client.get(&format!("/v1/users/{id}")).await);
    let accepted = put_with(&client, &id, &[("if-match", &now)], &json!({"last_name": "Byron"})).await;
    assert_eq!(accepted.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_changes_of_one_user_at_once_every_one_is_applied() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    for round in 0..3 {
        let changes = (0..64).map(|number| {
            let (client, id) = (client.clone(), id.clone());
            async move { put(&client, &id, &json!({"occupation": format!("Engineer {round} {number}")})).await }
        });
        let statuses: Vec<u16> = join_all(changes).await.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200; 64]);
    }
    let read = client.get(&format!("/v1/users/{id}")).await;
    assert_eq!(tag(&read), format!("\"{}\"", 1 + 3 * 64));
}

#[tokio::test]
async fn a_tag_that_a_proxy_made_weak_holds_and_one_that_is_no_tag_is_told_from_a_change() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let change = |name: &str| json!({"last_name": name});
    for (round, condition) in ["W/\"1\"", "\"9\", W/\"2\"", "*"].iter().enumerate() {
        let answer = put_with(&client, &id, &[("if-match", condition)], &change(&format!("N{round}"))).await;
        assert_eq!(answer.status, 200, "{condition}: {}", answer.text);
    }
    let refused = |condition: &'static str| {
        let (client, id) = (client.clone(), id.clone());
        async move {
            let answer = put_with(&client, &id, &[("if-match", condition)], &json!({"last_name": "Byron"})).await;
            assert_eq!((answer.status, &answer.json()["code"]), (412, &json!("precondition_failed")), "{condition}");
            answer.json()["message"].as_str().expect("a text").to_owned()
        }
    };
    assert_eq!(refused("W/\"1\"").await, "The user has changed since it was read");
    for no_tag in ["4", "\"4-gzip\"", "\"4", "w/\"4\""] {
        let message = refused(no_tag).await;
        assert!(message.starts_with("If-Match has no entity tag of this service"), "{no_tag}: {message}");
    }
}

#[tokio::test]
async fn over_grpc_the_version_is_metadata_and_the_condition_a_field_or_metadata() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let change = || {
        let change = v1::IndividualChange { last_name: Some("King".into()), ..v1::IndividualChange::default() };
        v1::UpdateUserRequest {
            user: Some(Change::Individual(change)),
            user_id: Some(id.clone()),
            ..v1::UpdateUserRequest::default()
        }
    };
    let stale = v1::UpdateUserRequest { if_match: Some("\"7\"".into()), ..change() };
    let refused = client.grpc().update_user(client.call(stale)).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::Aborted);
    assert_eq!(details(&refused).expect("details").reason, ErrorReason::PreconditionFailed);
    let mut request = client.call(change());
    request.metadata_mut().insert("if-match", "\"1\"".parse().expect("metadata"));
    let response = client.grpc().update_user(request).await.expect("an answer");
    assert_eq!(response.metadata().get("etag").expect("an etag"), "\"2\"");
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let change = |key: &str| json!({"metadata": {key: 1}});
    let (one, two) = (change("one"), change("two"));
    let condition = [("if-match", "\"1\"")];
    let (one, two) = tokio::join!(put_with(&client, &id, &condition, &one), put_with(&client, &id, &condition, &two));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    assert_eq!(shown(&client, &id).await["metadata"].as_object().map(serde_json::Map::len), Some(1));
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_applied() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[3])).await;
    let files = stored_files(&service);
    let bodies: Vec<_> = (0..8)
        .map(|number| {
            let file = data_uri("image/jpeg", &jpeg(&number.to_string()));
            let entry = json!({"type": "proof_of_address", "issuing_country": "MEX",
                "number": format!("B{number}"), "documents": [{"type": "file_proof_of_address", "file": file}]});
            json!({"metadata": {format!("k{number}"): number}, "identifying_information": [entry]})
        })
        .collect();
    let answers = join_all(bodies.iter().map(|body| put(&client, &id, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let user = shown(&client, &id).await;
    assert_eq!(user["metadata"]["k7"], 7);
    let keys = user["metadata"].as_object().expect("an object").keys().filter(|key| key.starts_with('k')).count();
    assert_eq!(keys, 8);
    assert_eq!(user["identifying_information"].as_array().map(Vec::len), Some(2 + 8));
    assert_eq!(stored_files(&service), files + 8);
    // One attempt is current; every other one has been superseded.
    let pending = "SELECT state FROM verification_attempts WHERE state <> 'superseded'";
    assert_eq!(texts(&service, pending).await, ["pending"]);
    let sequences = format!("SELECT CAST(count(DISTINCT sequence) AS TEXT) FROM {ALL_EVENTS}");
    assert_eq!(texts(&service, &sequences).await, [service.database.count(ALL_EVENTS).await.to_string()]);
}

#[tokio::test]
async fn a_change_beside_an_outcome_loses_neither() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let claimed = claim(&service).await;
    let body = json!({"metadata": {"a": 1}});
    let (answer, ()) = tokio::join!(put(&client, &id, &body), settle(&service, &claimed, Decision::Verified));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let user = shown(&client, &id).await;
    assert_eq!((&user["status"], &user["metadata"]["a"]), (&json!("VERIFIED"), &json!(1)));
}

#[tokio::test]
async fn a_change_of_judged_data_beside_an_outcome_is_verified_again_whichever_comes_first() {
    for _ in 0..4 {
        let service = Service::start().await;
        let client = service.client().await;
        let id = created(&client, &example(EXAMPLES[0])).await;
        let claimed = claim(&service).await;
        let body = json!({"last_name": "Roe"});
        let (answer, ()) = tokio::join!(put(&client, &id, &body), settle(&service, &claimed, Decision::Verified));
        assert_eq!(answer.status, 200, "{}", answer.text);
        let user = shown(&client, &id).await;
        assert_eq!((&user["status"], &user["last_name"]), (&json!("VERIFYING"), &json!("Roe")));
    }
}
