//! The kind of a user never changes: it decides how a change is read.

use kira_users::contract::v1;
use kira_users::contract::v1::update_user_request::User as Change;
use serde_json::json;

use crate::harness::requests::{EXAMPLES, example, minimal};
use crate::harness::service::Service;
use crate::updates::support::{
    created, grpc_update, problem, problems_of, put, put_with, shown, updated, violations_of,
};

#[tokio::test]
async fn the_type_may_be_sent_where_it_is_the_users() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    for body in
        [json!({"type": "individual", "last_name": "King"}), json!({"last_name": "Byron", "type": "individual"})]
    {
        let user = updated(&client, &id, &body).await;
        assert_eq!((&user["updated_fields"], &user["type"]), (&json!(["last_name"]), &json!("individual")));
    }
}

#[tokio::test]
async fn another_type_is_refused_and_nothing_else_is_said() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    for kind in [json!("business"), json!("robot"), json!(null), json!(7)] {
        for body in [json!({"type": kind, "email": 1, "x": 2}), json!({"email": 1, "x": 2, "type": kind})] {
            let refused = put_with(&client, &id, &[("prefer", "handling=strict")], &body).await;
            assert_eq!(problems_of(&refused)[0], problem("type", "invalid_union_discriminator"));
            assert_eq!(problems_of(&refused).len(), 1, "{}", refused.text);
            assert!(refused.text.contains("Expected 'individual'\""), "{}", refused.text);
        }
    }
}

#[tokio::test]
async fn values_are_those_of_the_users_kind() {
    let service = Service::start().await;
    let client = service.client().await;
    let individual = created(&client, &minimal()).await;
    let business = created(&client, &example(EXAMPLES[3])).await;
    updated(&client, &individual, &json!({"source_of_funds": "salary"})).await;
    let refused = put(&client, &business, &json!({"source_of_funds": "salary"})).await;
    assert_eq!(problems_of(&refused), [problem("source_of_funds", "invalid_enum_value")]);
    updated(&client, &business, &json!({"source_of_funds": "treasury_reserves"})).await;
}

#[tokio::test]
async fn keys_of_the_other_kind_are_unknown_keys() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[3])).await;
    let body = json!({"gender": "male", "business_trade_name": "Tec", "status": "VERIFIED",
        "associated_persons": [{"first_name": "Eva", "last_name": "Luna", "nickname": "E"}]});
    let user = updated(&client, &id, &body).await;
    let paths: Vec<_> = user["warnings"].as_array().expect("warnings").iter().map(|entry| &entry["path"]).collect();
    assert_eq!(paths, ["associated_persons.0.nickname", "gender", "status"]);
    assert_eq!((&user["business_trade_name"], &user["status"]), (&json!("Tec"), &json!("CREATED")));
    let before = shown(&client, &id).await;
    let refused = put_with(&client, &id, &[("prefer", "handling=strict")], &body).await;
    let found = problems_of(&refused);
    assert_eq!((found.len(), &found[0].1), (3, &"unrecognized_keys".to_owned()));
    assert_eq!(shown(&client, &id).await, before);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_as_by_a_create() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    for (body, code) in
        [("[1]", "invalid_type"), ("null", "invalid_type"), ("{", "invalid_json"), (" ", "invalid_json")]
    {
        let request = client.request(reqwest::Method::PUT, &format!("/v1/users/{id}"));
        let request = request.header("content-type", "application/json").body(body);
        let answer = crate::harness::service::Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!(problems_of(&answer), [problem("", code)], "{body}");
    }
    // Without a body nothing is changed (docs/decisions.md, section 1).
    let before = shown(&client, &id).await;
    let request = client.request(reqwest::Method::PUT, &format!("/v1/users/{id}"));
    let request = request.header("content-type", "application/json").body("");
    let answer = crate::harness::service::Answer::of(request.send().await.expect("an answer")).await;
    assert_eq!((answer.status, &answer.json()["updated_fields"]), (200, &json!([])), "{}", answer.text);
    assert_eq!(shown(&client, &id).await, before);
    let other = "00000000-0000-4000-8000-000000000000";
    let twice = put(&client, &id, &json!({"user_id": other, "last_name": "King"})).await;
    assert_eq!(problems_of(&twice), [problem("user_id", "custom")]);
}

#[tokio::test]
async fn a_change_over_grpc_is_the_same_change() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let entry = v1::IdentificationChange { number: Some("1".into()), ..v1::IdentificationChange::default() };
    let broken = v1::IndividualChange {
        email: Some("nobody".into()),
        gender: Some(99),
        identifying_information: vec![entry],
        ..v1::IndividualChange::default()
    };
    let refused = grpc_update(&client, &id, Some(Change::Individual(broken))).await.expect_err("a refusal");
    let expected = [
        problem("email", "invalid_string"),
        problem("gender", "invalid_enum_value"),
        problem("identifying_information.0.type", "invalid_type"),
        problem("identifying_information.0.issuing_country", "invalid_type"),
    ];
    assert_eq!(violations_of(&refused), expected);
    let change = v1::IndividualChange {
        last_name: Some("King".into()),
        middle_name: Some(String::new()),
        ..v1::IndividualChange::default()
    };
    let user = grpc_update(&client, &id, Some(Change::Individual(change))).await.expect("a user");
    assert_eq!(user.outcome.expect("an outcome").updated_fields, ["last_name"]);
    assert_eq!(shown(&client, &id).await["last_name"], "King");
}

#[tokio::test]
async fn a_change_of_the_other_kind_over_grpc_is_refused_and_none_at_all_changes_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let change = v1::BusinessChange { email: Some("x".into()), ..v1::BusinessChange::default() };
    let refused = grpc_update(&client, &id, Some(Change::Business(change))).await.expect_err("a refusal");
    assert_eq!(violations_of(&refused), [problem("type", "invalid_union_discriminator")]);
    let user = grpc_update(&client, &id, None).await.expect("a user");
    assert_eq!(user.outcome.expect("an outcome").updated_fields, Vec::<String>::new());
}
