//! Required texts that show nothing are empty to a reader.

use serde_json::json;

use crate::api::support::bodies::{business, individual, passport, person, with};
use crate::api::support::{assert_created, assert_refused, detail, grpc_create, message_of, violations_of};
use crate::harness::service::Service;

const BLANKS: [&str; 8] =
    [" ", "\t \n", "\u{200b}", "\u{3164}", "\u{2800}", "\u{202e}\u{2066}", "\u{feff}\u{a0}", "\u{ad}\u{200d}\u{3000}"];

#[tokio::test]
async fn a_required_text_that_shows_nothing_is_refused() {
    let service = Service::start().await;
    let client = service.client().await;
    let with_person = with(&business(), "associated_persons", json!([person()]));
    let places = [
        (individual(), "first_name"),
        (individual(), "last_name"),
        (business(), "business_legal_name"),
        (with_person.clone(), "associated_persons.0.first_name"),
        (with_person, "associated_persons.0.last_name"),
    ];
    for (body, path) in places {
        let expected = [detail(path, "too_small", "String must contain at least 1 character(s)")];
        for blank in BLANKS {
            let body = with(&body, path, json!(blank));
            assert_refused(&client, &body, &expected).await;
            let status = grpc_create(&client, message_of(&body).expect("a message")).await.expect_err("a refusal");
            assert_eq!(violations_of(&status), expected);
        }
    }
}

#[tokio::test]
async fn a_text_with_something_to_read_is_stored_as_it_was_sent() {
    let service = Service::start().await;
    let client = service.client().await;
    for name in [" Ana ", "\u{200f}\u{5d0}\u{5e0}\u{5d4}", "\u{674e}\u{200b}", "-"] {
        let user = assert_created(&client, &with(&individual(), "first_name", json!(name))).await;
        assert_eq!(user["first_name"], name);
    }
}

#[tokio::test]
async fn the_number_of_a_tax_id_must_show_something() {
    let service = Service::start().await;
    let client = service.client().await;
    let entry = json!({"type": "ssn", "issuing_country": "USA", "number": "\u{200b} "});
    let body = with(&individual(), "identifying_information", json!([passport(), entry]));
    let path = "identifying_information.1.number";
    let expected = [detail(path, "too_small", "String must contain at least 1 character(s)")];
    assert_refused(&client, &body, &expected).await;
}
