//! Calls, their errors, and files.

use kira_users_client::{Code, ErrorReason, document, v1};
use serde_json::json;
use uuid::Uuid;

use super::support::{individual, kira};
use crate::harness::service::{Service, is_replayed};

const PDF: &[u8] = b"%PDF-1.4\n";

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn identification(r#type: v1::IdentificationType, document: v1::Document) -> v1::Identification {
    v1::Identification {
        r#type: Some(r#type.into()),
        issuing_country: text("GBR"),
        documents: vec![document],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_business_with_persons_and_files_is_created_and_changed() {
    let service = Service::start().await;
    let client = service.client().await;
    let kira = kira(&service, &client);
    let front = document(v1::DocumentType::Front, PDF).expect("a PDF");
    let proof = document(v1::DocumentType::FileProofOfAddress, PDF).expect("a PDF");
    let person = v1::AssociatedPerson {
        first_name: text("Ann"),
        last_name: text("Lee"),
        identifying_information: vec![identification(v1::IdentificationType::Passport, front)],
        ..Default::default()
    };
    let business = v1::Business {
        email: text("ann@example.com"),
        business_legal_name: text("Ann Ltd"),
        associated_persons: vec![person],
        identifying_information: vec![identification(v1::IdentificationType::ProofOfAddress, proof)],
        ..Default::default()
    };
    let user = Some(v1::create_user_request::User::Business(business));
    let created = kira.users().create_user(v1::CreateUserRequest { user, ..Default::default() }).await.expect("a user");
    let user = created.into_inner().user.expect("the user");
    // As REST shows it.
    let shown = client.get(&format!("/v1/users/{}", user.id)).await.json();
    let kept = &shown["associated_persons"][0]["identifying_information"][0]["documents"][0];
    assert_eq!((&shown["business_legal_name"], &kept["media_type"]), (&json!("Ann Ltd"), &json!("application/pdf")));

    let change = v1::BusinessChange { phone: text("+442071838750"), ..Default::default() };
    let change = Some(v1::update_user_request::User::Business(change));
    let request = v1::UpdateUserRequest { user: change, user_id: Some(user.id), ..Default::default() };
    let changed = kira.users().update_user(request).await.expect("a change").into_inner().user.expect("the user");
    assert_eq!(changed.outcome.expect("the outcome").updated_fields, ["phone"]);
}

#[tokio::test]
async fn an_error_has_its_reason_its_violations_and_the_id_of_the_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let kira = kira(&service, &client);
    let request = v1::GetUserRequest { user_id: Some(Uuid::new_v4().to_string()) };
    let missing = kira_users_client::Error::from(kira.users().get_user(request).await.expect_err("no user"));
    assert_eq!((missing.reason, missing.code), (Some(ErrorReason::NotFound), Code::NotFound));
    assert!(missing.request_id.is_some());

    let Some(v1::create_user_request::User::Individual(person)) = individual().user else { panic!("an individual") };
    let wrong = v1::Individual { email: text("x"), first_name: None, ..person };
    let user = Some(v1::create_user_request::User::Individual(wrong));
    let refused = kira.users().create_user(v1::CreateUserRequest { user, ..Default::default() }).await;
    let refused = kira_users_client::Error::from(refused.expect_err("a refusal"));
    let found: Vec<_> = refused.violations.iter().map(|found| (found.path.as_str(), found.code.as_str())).collect();
    assert_eq!(found, [("email", "invalid_string"), ("first_name", "invalid_type")]);
}

#[tokio::test]
async fn wrong_credentials_are_an_error_at_once() {
    let service = Service::start().await;
    let mut client = service.client().await;
    client.password = "wrong".to_owned();
    let refused = kira(&service, &client).events().list_events(v1::ListEventsRequest::default()).await;
    let refused = kira_users_client::Error::from(refused.expect_err("a refusal"));
    assert_eq!(refused.reason, Some(ErrorReason::Unauthorized));
}

#[tokio::test]
async fn each_request_has_a_key_of_its_own_or_the_one_that_it_is_given() {
    let service = Service::start().await;
    let client = service.client().await;
    let kira = kira(&service, &client);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let created = kira.users().create_user(individual()).await.expect("a user");
        ids.push(created.into_inner().user.expect("the user").id);
    }
    assert_ne!(ids[0], ids[1]);
    let request = || v1::CreateUserRequest { idempotency_key: Some(Uuid::from_u128(7).to_string()), ..individual() };
    for is_repetition in [false, true] {
        let created = kira.users().create_user(request()).await.expect("a user");
        assert_eq!(is_replayed(created.metadata()), is_repetition);
    }
}
