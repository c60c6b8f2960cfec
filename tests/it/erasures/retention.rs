//! Users are kept for the minimum, and erased when they have expired.

use chrono::TimeDelta;
use kira_users::domain::verification::Decision;
use serde_json::json;

use super::support::{erase, erased, eraser, hold};
use crate::harness::requests::{minimal, with_files};
use crate::harness::service::Service;
use crate::updates::support::{created, decide};

const LONG_TOKENS: (&str, &str) = ("KIRA_TOKEN_LIFETIME", "30d");

#[tokio::test]
async fn a_user_for_whom_a_verification_was_started_is_kept_for_the_minimum() {
    let settings = [("KIRA_RETENTION_MINIMUM", "10d"), LONG_TOKENS, ("KIRA_WORKER", "false")];
    let service = Service::start_with(&settings).await;
    let client = service.client().await;
    let (whole, incomplete) = (created(&client, &with_files()).await, created(&client, &minimal()).await);
    erased(&client, &incomplete).await;
    let refused = erase(&client, &whole).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("erasure_blocked")));
    let updated = client.get(&format!("/v1/users/{whole}")).await.json()["updated_at"].clone();
    let updated: chrono::DateTime<chrono::Utc> = updated.as_str().expect("a time").parse().expect("a time");
    let until = updated + TimeDelta::days(10);
    let expected = format!("The user must be kept until {}", until.format("%Y-%m-%dT%H:%M:%SZ"));
    assert_eq!(refused.json()["message"], expected);
    service.clock.advance(TimeDelta::days(10) + TimeDelta::seconds(1));
    erased(&client, &whole).await;
}

#[tokio::test]
async fn users_of_a_status_expire_and_the_others_stay() {
    // Those of the command line alone: the job of the service would erase beside it.
    let settings = [("KIRA_RETENTION_CREATED", "2d"), ("KIRA_RETENTION_REJECTED", "5d")];
    let service = Service::start_with(&[LONG_TOKENS, ("KIRA_WORKER", "false")]).await;
    let client = service.client().await;
    let rejected = created(&client, &with_files()).await;
    decide(&service, Decision::Rejected).await;
    let (old, held) = (created(&client, &minimal()).await, created(&client, &minimal()).await);
    hold(&client, &held, "Case").await;
    service.clock.advance(TimeDelta::days(3));
    let young = created(&client, &minimal()).await;
    let eraser = eraser(&service, &settings).await;
    assert_eq!(eraser.erase_expired(100).await.expect("an answer"), 1);
    let found = async |user: &str| client.get(&format!("/v1/users/{user}")).await.status;
    assert_eq!(
        (found(&old).await, found(&held).await, found(&young).await, found(&rejected).await),
        (404, 200, 200, 200)
    );
    let certificate = client.get(&format!("/v1/users/{old}/erasure_certificate")).await.json();
    assert!(certificate["statement"].as_str().expect("a text").contains("\"cause\":\"expired\""));
    service.clock.advance(TimeDelta::days(3));
    assert_eq!(eraser.erase_expired(100).await.expect("an answer"), 2);
    assert_eq!((found(&young).await, found(&rejected).await, found(&held).await), (404, 404, 200));
}
