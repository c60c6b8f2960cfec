//! Who may do what.

use kira_users::contract::v1;
use kira_users::contract::v1::reviews_service_client::ReviewsServiceClient;
use serde_json::json;
use tonic::Code;

use crate::harness::requests::minimal;
use crate::reviews::support::{Office, act, code};

#[tokio::test]
async fn a_customer_decides_no_review() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    assert_eq!(code(&office.customer.get("/v1/reviews").await), (403, "forbidden".to_owned()));
    let answer = act(&office.customer, &waiting.review_id, "approve", json!({})).await;
    assert_eq!(code(&answer), (403, "forbidden".to_owned()));
    assert_eq!(office.status(&waiting).await, "REVIEW");
    let mut grpc = ReviewsServiceClient::new(office.customer.channel.clone());
    let refused = grpc.list_reviews(office.customer.call(v1::ListReviewsRequest::default())).await;
    assert_eq!(refused.expect_err("no permission").code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_reviewer_makes_and_reads_no_user() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    assert_eq!(code(&office.ann.create(&minimal()).await), (403, "forbidden".to_owned()));
    assert_eq!(office.ann.get(&format!("/v1/users/{}", waiting.user_id)).await.status, 403);
}

#[tokio::test]
async fn a_reviewer_sees_the_user_behind_a_review() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    let answer = office.ann.get(&format!("/v1/reviews/{}", waiting.review_id)).await;
    assert_eq!(answer.status, 200);
    let shown = answer.json();
    assert_eq!(shown["review"]["client_id"], json!(office.customer.id));
    assert_eq!(shown["user"]["id"], json!(waiting.user_id));
    assert_eq!(shown["user"]["status"], "REVIEW");
}

#[tokio::test]
async fn the_reviews_of_one_client_can_be_asked_for() {
    let office = Office::open(&[]).await;
    office.waiting().await;
    let of = async |client: uuid::Uuid| {
        let list = office.ann.get(&format!("/v1/reviews?client_id={client}")).await.json();
        list["pagination"]["total"].as_u64()
    };
    assert_eq!((of(office.customer.id).await, of(office.bob.id).await), (Some(1), Some(0)));
}
