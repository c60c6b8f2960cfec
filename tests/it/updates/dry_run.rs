//! POST /v1/users:validate and ValidateUser: what a create would find, with nothing stored.

use kira_users::contract::v1;
use kira_users::contract::v1::create_user_request::User;
use kira_users::contract::v1::validate_user_request::User as Validate;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::database::ALL_EVENTS;
use crate::harness::requests::{EXAMPLES, example, message, minimal, with};
use crate::harness::service::{Answer, Client, Service};
use crate::updates::support::{problem, problems_of, send, stored_files, violations_of};

async fn validate(client: &Client, body: &Value) -> Answer {
    send(client, Method::POST, "/v1/users:validate", &[], body).await
}

async fn grpc_validate(client: &Client, body: &Value) -> Result<v1::ValidateUserResponse, tonic::Status> {
    let user = match message(body) {
        User::Individual(individual) => Validate::Individual(individual),
        User::Business(business) => Validate::Business(business),
    };
    let request = client.call(v1::ValidateUserRequest { user: Some(user) });
    client.grpc().validate_user(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_dry_run_says_of_every_example_what_its_create_says() {
    let service = Service::start().await;
    let client = service.client().await;
    for text in EXAMPLES {
        let body = example(text);
        let dry = validate(&client, &body).await;
        assert_eq!(dry.status, 200, "{}", dry.text);
        let created = client.create(&body).await.json();
        assert_eq!(dry.json()["verification_triggered"], created["verification_triggered"]);
        assert_eq!(dry.json().get("missing_fields"), created.get("missing_fields"));
    }
}

#[tokio::test]
async fn a_dry_run_lists_what_each_target_has_and_what_it_lacks() {
    let service = Service::start().await;
    let client = service.client().await;
    let answer = validate(&client, &example(EXAMPLES[1])).await.json();
    let targets = answer["targets"].as_array().expect("a list");
    let names: Vec<_> = targets.iter().map(|target| target["target"].as_str().expect("a name")).collect();
    assert_eq!(names, ["verification", "usa-virtual-accounts", "virtual_account", "payout"]);
    assert_eq!(targets[0]["missing"], json!(["identifying_information:tax_id", "expected_monthly_payments"]));
    let complete = targets[0]["complete"].as_array().expect("a list");
    assert!(complete.contains(&json!("first_name")) && complete.contains(&json!("identifying_information:front")));
    assert_eq!(targets[3], json!({"target": "payout", "complete": [], "missing": []}));
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let service = Service::start().await;
    let client = service.client().await;
    assert_eq!(validate(&client, &example(EXAMPLES[0])).await.status, 200);
    grpc_validate(&client, &example(EXAMPLES[0])).await.expect("a report");
    for table in ["users", "documents", "idempotency_keys", "jobs", ALL_EVENTS, "verification_attempts"] {
        assert_eq!(service.database.count(table).await, 0, "{table}");
    }
    assert_eq!(stored_files(&service), 0);
}

#[tokio::test]
async fn a_dry_run_refuses_what_a_create_refuses_all_at_once() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = json!({"type": "individual", "email": "nobody", "last_name": 7, "birth_date": "2020-01-01"});
    let refused = validate(&client, &body).await;
    let expected = [
        problem("email", "invalid_string"),
        problem("first_name", "invalid_type"),
        problem("last_name", "invalid_type"),
        problem("birth_date", "custom"),
    ];
    assert_eq!(problems_of(&refused), expected);
    assert_eq!(refused.json(), client.create(&body).await.json());
    let over_grpc = grpc_validate(&client, &with(minimal(), "/email", json!("nobody"))).await;
    assert_eq!(violations_of(&over_grpc.expect_err("a refusal")), [problem("email", "invalid_string")]);
}

#[tokio::test]
async fn a_dry_run_warns_of_unknown_keys() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut body = minimal();
    body["nickname"] = json!("Countess");
    assert_eq!(validate(&client, &body).await.json()["warnings"][0]["path"], "nickname");
    let strict = [("prefer", "handling=strict")];
    let refused = send(&client, Method::POST, "/v1/users:validate", &strict, &body).await;
    assert_eq!(problems_of(&refused), [problem("nickname", "unrecognized_keys")]);
}

#[tokio::test]
async fn a_dry_run_over_grpc_is_the_same_report() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = example(EXAMPLES[2]);
    let rest = validate(&client, &body).await.json();
    let grpc = grpc_validate(&client, &body).await.expect("a report");
    assert!(!grpc.verification_triggered);
    assert_eq!(json!(grpc.missing_fields["verification"].fields), rest["missing_fields"]["verification"]);
    assert_eq!(json!(grpc.targets[0].complete), rest["targets"][0]["complete"]);
}
