//! Only the fields sent change.

use serde_json::json;

use crate::harness::database::ALL_EVENTS;
use crate::harness::requests::{EXAMPLES, example, minimal};
use crate::harness::service::Service;
use crate::updates::support::{created, problem, problems_of, put, shown, updated};

#[tokio::test]
async fn an_empty_change_changes_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let before = client.get(&format!("/v1/users/{id}")).await;
    let answer = put(&client, &id, &json!({})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("etag"), before.header("etag"));
    assert_eq!(answer.json()["updated_fields"], json!([]));
    assert_eq!(shown(&client, &id).await, before.json());
    assert_eq!(service.database.count(ALL_EVENTS).await, 1);
}

#[tokio::test]
async fn what_is_sent_as_it_is_stored_changes_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let user = updated(&client, &id, &json!({"first_name": "John", "address_city": "San Francisco"})).await;
    assert_eq!((&user["updated_fields"], &user["requires_reverification"]), (&json!([]), &json!(false)));
    assert_eq!(service.database.count("verification_attempts").await, 1);
}

#[tokio::test]
async fn only_the_fields_sent_change() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let mut expected = shown(&client, &id).await;
    let change = json!({"phone": "+12025550000", "address_city": "Oakland", "occupation": "Painter",
        "additional_info": {"has_us_bank_account": "Yes"}});
    let user = updated(&client, &id, &change).await;
    let fields = ["phone", "address_city", "occupation", "additional_info.has_us_bank_account"];
    assert_eq!(user["updated_fields"], json!(fields));
    expected["phone"] = json!("+12025550000");
    expected["residential_address"]["city"] = json!("Oakland");
    expected["metadata"]["occupation"] = json!("Painter");
    expected["status"] = json!("VERIFYING");
    assert_eq!(shown(&client, &id).await, expected);
}

#[tokio::test]
async fn patch_is_the_same_call() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let path = format!("/v1/users/{id}");
    let body = json!({"last_name": "King"});
    let answer = crate::updates::support::send(&client, reqwest::Method::PATCH, &path, &[], &body).await;
    assert_eq!((answer.status, &answer.json()["last_name"]), (200, &json!("King")));
}

#[tokio::test]
async fn an_empty_text_takes_an_optional_text_away() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let user = updated(&client, &id, &json!({"middle_name": "", "address_street_2": ""})).await;
    assert_eq!(user.get("middle_name"), None);
    assert_eq!(user["residential_address"]["street_line_2"], "");
    assert_eq!(user["updated_fields"], json!(["middle_name", "address_street_2"]));
    let again = updated(&client, &id, &json!({"middle_name": ""})).await;
    assert_eq!(again["updated_fields"], json!([]));
}

#[tokio::test]
async fn a_required_text_cannot_be_emptied_and_null_is_no_text() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let body = json!({"email": "", "first_name": null, "gender": null, "last_name": ""});
    let expected = [
        problem("email", "too_small"),
        problem("first_name", "invalid_type"),
        problem("last_name", "too_small"),
        problem("gender", "invalid_type"),
    ];
    assert_eq!(problems_of(&put(&client, &id, &body).await), expected);
}

#[tokio::test]
async fn all_problems_are_told_at_once_and_nothing_changes() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &minimal()).await;
    let before = shown(&client, &id).await;
    let body = json!({
        "email": "nobody", "first_name": "Grace", "phone": 7, "birth_date": "2020-01-01",
        "identifying_information": [{"type": "ssn"}, {"id": "00000000-0000-4000-8000-000000000000"}],
        "metadata": {"x": "y".repeat(17_000)},
    });
    let expected = [
        problem("email", "invalid_string"),
        problem("phone", "invalid_type"),
        problem("birth_date", "custom"),
        problem("identifying_information.0.issuing_country", "invalid_type"),
        problem("identifying_information.0.number", "invalid_type"),
        problem("identifying_information.1.id", "custom"),
        problem("metadata", "too_big"),
    ];
    assert_eq!(problems_of(&put(&client, &id, &body).await), expected);
    assert_eq!(shown(&client, &id).await, before);
}

#[tokio::test]
async fn metadata_merges_by_key_and_null_takes_a_key_away() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut body = minimal();
    body["metadata"] = json!({"kept": 1, "changed": "a", "gone": true});
    let id = created(&client, &body).await;
    let change = json!({"metadata": {"changed": {"deep": null}, "gone": null, "never": null, "new": [1]}});
    let user = updated(&client, &id, &change).await;
    assert_eq!(user["metadata"], json!({"kept": 1, "changed": {"deep": null}, "new": [1]}));
    assert_eq!(user["updated_fields"], json!(["metadata"]));
}

#[tokio::test]
async fn merged_metadata_keeps_to_the_limits() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut body = minimal();
    body["metadata"] = (0..50).map(|number| (format!("k{number}"), json!(number))).collect();
    let id = created(&client, &body).await;
    let refused = put(&client, &id, &json!({"metadata": {"one_more": 1}})).await;
    assert_eq!(problems_of(&refused), [problem("metadata", "too_big")]);
    updated(&client, &id, &json!({"metadata": {"one_more": 1, "k0": null}})).await;
}

#[tokio::test]
async fn the_industries_of_a_business_are_replaced_as_a_whole() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[3])).await;
    let user = updated(&client, &id, &json!({"business_industry": ["utilities"]})).await;
    assert_eq!(user["business_industry"], json!(["utilities"]));
    let user = updated(&client, &id, &json!({"business_industry": []})).await;
    assert_eq!(user.get("business_industry"), None);
    let refused = put(&client, &id, &json!({"business_industry": ["utilities", "magic"]})).await;
    assert_eq!(problems_of(&refused), [problem("business_industry.1", "invalid_enum_value")]);
}

#[tokio::test]
async fn only_the_owner_can_change_a_user() {
    let service = Service::start().await;
    let (owner, other) = (service.client().await, service.client().await);
    let id = created(&owner, &minimal()).await;
    let answer = put(&other, &id, &json!({"last_name": "King"})).await;
    assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")));
    let malformed = put(&owner, "nobody", &json!({"email": 1})).await;
    assert_eq!(problems_of(&malformed), [problem("user_id", "invalid_string")]);
}
