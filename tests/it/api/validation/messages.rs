//! What only protobuf can say.

use kira_users::contract::v1;
use kira_users::contract::v1::create_user_request::User;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use tonic::Code;

use super::values::{GENDER, quoted};
use crate::api::support::bodies::{business, individual, person, with};
use crate::api::support::{detail, grpc_create, message_of, our_details, violations_of};
use crate::harness::service::Service;

fn business_message(ownership: f64) -> v1::CreateUserRequest {
    let body = with(&business(), "associated_persons", serde_json::json!([person()]));
    let mut message = message_of(&body).expect("a message");
    let Some(User::Business(user)) = &mut message.user else { panic!("a business") };
    user.associated_persons[0].ownership_percentage = Some(ownership);
    message
}

fn individual_message(change: impl FnOnce(&mut v1::Individual)) -> v1::CreateUserRequest {
    let mut message = message_of(&individual()).expect("a message");
    let Some(User::Individual(user)) = &mut message.user else { panic!("an individual") };
    change(user);
    message
}

#[tokio::test]
async fn a_request_without_a_kind_of_user_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let status = grpc_create(&client, v1::CreateUserRequest::default()).await.expect_err("a refusal");
    let expected = "Invalid discriminator value. Expected 'individual' | 'business'";
    assert_eq!(violations_of(&status), [detail("type", "invalid_union_discriminator", expected)]);
    assert_eq!(our_details(&status).reason.as_str(), "INVALID_REQUEST");
}

#[tokio::test]
async fn a_percentage_is_a_finite_number() {
    let service = Service::start().await;
    let client = service.client().await;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let found = violations_of(&grpc_create(&client, business_message(number)).await.expect_err("a refusal"));
        assert!(!found.is_empty(), "{number}");
        assert!(found.iter().all(|(path, _, _)| path == "associated_persons.0.ownership_percentage"), "{found:?}");
    }
}

#[tokio::test]
async fn a_number_that_is_no_value_of_a_list_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    for number in [4, -1, i32::MAX, i32::MIN] {
        let message = individual_message(|user| user.gender = Some(number));
        let sentence = format!("Invalid enum value. Expected {}, received '{number}'", quoted(GENDER));
        let found = violations_of(&grpc_create(&client, message).await.expect_err("a refusal"));
        assert_eq!(found, [detail("gender", "invalid_enum_value", &sentence)]);
    }
}

#[tokio::test]
async fn the_unspecified_value_of_a_list_is_refused_wherever_it_is_given() {
    let service = Service::start().await;
    let client = service.client().await;
    let refused = async |message| violations_of(&grpc_create(&client, message).await.expect_err("a refusal"));
    let sentence = format!("Invalid enum value. Expected {}, received '0'", quoted(GENDER));
    let found = refused(individual_message(|user| user.gender = Some(0))).await;
    assert_eq!(found, [detail("gender", "invalid_enum_value", &sentence)]);
    let mut message = message_of(&business()).expect("a message");
    let Some(User::Business(user)) = &mut message.user else { panic!("a business") };
    user.business_industry = vec![v1::BusinessIndustry::Utilities.into(), 0];
    user.compliance = Some(v1::BusinessCompliance {
        additional_info: Some(v1::AdditionalInfo { has_us_bank_account: Some(0), ..v1::AdditionalInfo::default() }),
        ..v1::BusinessCompliance::default()
    });
    let paths: Vec<_> = refused(message).await.into_iter().map(|(path, _, code)| (path, code)).collect();
    let code = || "invalid_enum_value".to_owned();
    assert_eq!(
        paths,
        [("business_industry.1".to_owned(), code()), ("additional_info.has_us_bank_account".to_owned(), code()),]
    );
}

#[tokio::test]
async fn metadata_holds_what_json_can_say() {
    let service = Service::start().await;
    let client = service.client().await;
    let number = |number: f64| Some(Kind::NumberValue(number));
    let list = |kind| Some(Kind::ListValue(ListValue { values: vec![Value { kind: number(1.0) }, Value { kind }] }));
    let cases = [
        (number(f64::NAN), "metadata.a", "custom"),
        (number(f64::INFINITY), "metadata.a", "custom"),
        (list(number(f64::NEG_INFINITY)), "metadata.a.1", "custom"),
        (None, "metadata.a", "invalid_type"),
        (list(None), "metadata.a.1", "invalid_type"),
        (Some(Kind::NullValue(7)), "metadata.a", "invalid_type"),
    ];
    for (kind, path, code) in cases {
        let fields = [("a".to_owned(), Value { kind })].into();
        let message = individual_message(|user| user.metadata = Some(Struct { fields }));
        let found = violations_of(&grpc_create(&client, message).await.expect_err("a refusal"));
        let found: Vec<_> = found.iter().map(|(path, _, code)| (path.as_str(), code.as_str())).collect();
        assert_eq!(found, [(path, code)]);
    }
}

#[tokio::test]
async fn fields_that_only_the_service_sets_are_ignored() {
    let service = Service::start().await;
    let client = service.client().await;
    let address = v1::PostalAddress { city: "Nowhere".to_owned(), ..v1::PostalAddress::default() };
    let message = individual_message(|user| {
        user.residential_address = Some(address);
        let id = "00000000-0000-0000-0000-000000000001".to_owned();
        user.identifying_information = vec![v1::Identification {
            id,
            r#type: Some(1),
            issuing_country: Some("MEX".to_owned()),
            ..v1::Identification::default()
        }];
    });
    let user = grpc_create(&client, message).await.expect("a user");
    let Some(v1::user::Details::Individual(shown)) = user.details else { panic!("an individual") };
    assert_eq!(shown.residential_address, Some(v1::PostalAddress::default()));
}

#[tokio::test]
async fn a_list_of_violations_too_long_for_headers_is_cut_and_says_so() {
    let service = Service::start().await;
    let client = service.client().await;
    let persons = vec![v1::AssociatedPerson::default(); 100];
    let mut message = message_of(&business()).expect("a message");
    let Some(User::Business(user)) = &mut message.user else { panic!("a business") };
    user.associated_persons = persons;
    let status = grpc_create(&client, message).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.details().len() <= 4_096, "{}", status.details().len());
    let found = violations_of(&status);
    assert_eq!(found[0], detail("associated_persons.0.first_name", "invalid_type", "Required"));
    let left_out = 200 - (found.len() - 1);
    assert_eq!(found.last(), Some(&detail("", "custom", &format!("{left_out} more problem(s) are not listed"))));
}
