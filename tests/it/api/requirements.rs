//! The requirements of a user: complete, pending, missing, and what is questioned.

use std::collections::BTreeSet;

use kira_users::domain::verification::{Assurance, Outcome, Reason};
use kira_users::store::ProviderAnswer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::requests::{EXAMPLES, example, minimal};
use crate::harness::service::{Client, Service};
use crate::updates::support::{created, shown, updated};

/// Those that ask for something beyond a verified user.
const TARGETS: [&str; 2] = ["usa-virtual-accounts", "verification"];

async fn of(client: &Client, id: &str, target: &str) -> Value {
    shown(client, id).await["requirements"][target].clone()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

#[tokio::test]
async fn every_target_that_asks_for_something_is_there_with_its_four_lists() {
    let service = Service::start().await;
    let client = service.client().await;
    let answer = client.create(&minimal()).await.json();
    let id = answer["id"].as_str().expect("an id");
    let requirements = answer["requirements"].as_object().expect("an object");
    assert_eq!(requirements.keys().collect::<Vec<_>>(), TARGETS);
    for (target, lists) in requirements {
        let keys: BTreeSet<_> = lists.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["complete", "issues", "missing", "pending"]), "{target}");
    }
    let verification = &requirements["verification"];
    assert_eq!(verification["complete"], json!(["first_name", "last_name", "email"]));
    // The same names as today's list.
    assert_eq!(verification["missing"], answer["missing_fields"]["verification"]);
    assert_eq!(shown(&client, id).await["requirements"], answer["requirements"]);
    let after = updated(&client, id, &json!({"phone": "+12025550199"})).await;
    assert!(list(&after["requirements"]["verification"]["complete"]).contains(&json!("phone")));
}

#[tokio::test]
async fn what_is_given_is_pending_while_it_is_verified_and_then_complete() {
    let service = Service::start_with(&[("KIRA_SANDBOX_DELAY", "0s")]).await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[0])).await;
    let waiting = of(&client, &id, "verification").await;
    assert_eq!((&waiting["complete"], &waiting["missing"]), (&json!([]), &json!([])));
    assert!(list(&waiting["pending"]).contains(&json!("identifying_information:ssn")));
    let product = of(&client, &id, "usa-virtual-accounts").await;
    assert_eq!(product["missing"], json!(["identifying_information:file_source_of_wealth"]));
    assert_eq!(product["complete"], json!(["identifying_information:back"]));
    service.running.worker.drain().await.expect("the database answers");
    let verified = of(&client, &id, "verification").await;
    assert_eq!((&verified["complete"], &verified["pending"]), (&waiting["pending"], &json!([])));
}

#[tokio::test]
async fn a_reason_is_an_issue_at_its_requirement_and_names_what_is_accepted() {
    let service = Service::start().await;
    let client = service.client().await;
    let id = created(&client, &example(EXAMPLES[3])).await;
    let store = &service.running.resources.store;
    let user_id = Uuid::parse_str(&id).expect("an id");
    let attempt = store.find_user(client.id, user_id).await.expect("a read").expect("the user").attempt_id;
    let picture = "associated_persons.1.identifying_information.0.documents.0";
    let at = |path: &str| Reason { path: Some(path.to_owned()), ..Reason::new("unclear", "It is unclear") };
    let mut outcome = Outcome::rejected(Assurance::Simulated, at(picture));
    outcome.reasons.extend([at("formation_date"), Reason::new("watched", "The business is on a list")]);
    let (env, attempt) = (service.clock.as_ref(), attempt.expect("an attempt"));
    let decided = store.decide_verification(env, client.id, user_id, attempt, &outcome, ProviderAnswer::default());
    assert!(decided.await.expect("an answer"));
    let user = shown(&client, &id).await;
    let verification = &user["requirements"]["verification"];
    let expected = json!([
        {"requirement": "formation_date", "field": "formation_date", "code": "unclear", "message": "It is unclear"},
        {"code": "watched", "message": "The business is on a list"},
    ]);
    assert_eq!(verification["issues"], expected);
    assert!(!list(&verification["complete"]).contains(&json!("formation_date")));
    let persons = list(&verification["associated_persons"]);
    assert_eq!(persons[1]["id"], user["associated_persons"][1]["id"]);
    assert_eq!(persons[0]["issues"], json!([]));
    let issue = &persons[1]["issues"][0];
    assert_eq!((&issue["requirement"], &issue["field"]), (&json!("identifying_information:front"), &json!(picture)));
    assert_eq!(issue["accepted_document_types"], json!(["front"]));
    assert!(list(&issue["accepted_identification_types"]).contains(&json!("passport")));
    // It concerns what the product asks for, too; what is about nothing in particular concerns verification alone.
    let product = &user["requirements"]["usa-virtual-accounts"];
    assert_eq!(list(&product["issues"]).len(), 1);
    assert_eq!(list(&product["associated_persons"])[1]["issues"], persons[1]["issues"]);
    assert_eq!(user["requirements"].get("payout"), None, "it asks for nothing, so that nothing is at issue");
}
