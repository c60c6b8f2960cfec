//! Individuals are adults on the day of the request.

use chrono::TimeDelta;
use serde_json::json;

use crate::api::support::bodies::{business, individual, person, with};
use crate::api::support::{assert_created, assert_refused, detail, grpc_create, message_of, violations_of};
use crate::harness::service::Service;

/// The clock is at 2026-11-23.
const EIGHTEEN_TODAY: &str = "2008-11-23";
const EIGHTEEN_TOMORROW: &str = "2008-11-24";

#[tokio::test]
async fn an_individual_is_eighteen_on_the_day_of_the_request() {
    let service = Service::start().await;
    let client = service.client().await;
    let young = with(&individual(), "birth_date", json!(EIGHTEEN_TOMORROW));
    let expected = [detail("birth_date", "custom", "User must be at least 18 years old")];
    assert_refused(&client, &young, &expected).await;
    let status = grpc_create(&client, message_of(&young).expect("a message")).await.expect_err("a refusal");
    assert_eq!(violations_of(&status), expected);
    assert_created(&client, &with(&individual(), "birth_date", json!(EIGHTEEN_TODAY))).await;

    // Thirteen hours and 59 minutes later it is still the same day in UTC; a minute later it is the next.
    service.clock.advance(TimeDelta::minutes(13 * 60 + 59));
    let mut client = client;
    client.renew_token().await;
    assert_refused(&client, &young, &expected).await;
    service.clock.advance(TimeDelta::minutes(1));
    assert_created(&client, &young).await;
}

#[tokio::test]
async fn a_birth_date_in_the_future_is_under_age() {
    let service = Service::start().await;
    let client = service.client().await;
    for date in ["2026-11-24", "9999-12-31"] {
        let body = with(&individual(), "birth_date", json!(date));
        assert_refused(&client, &body, &[detail("birth_date", "custom", "User must be at least 18 years old")]).await;
    }
}

#[tokio::test]
async fn associated_persons_and_representatives_may_be_of_any_age() {
    let service = Service::start().await;
    let client = service.client().await;
    let body = with(&business(), "associated_persons", json!([person()]));
    let body = with(&body, "associated_persons.0.birth_date", json!("2015-01-01"));
    assert_created(&client, &with(&body, "representative_birth_date", json!("2015-01-01"))).await;
}
