//! Whatever is between the service and PostgreSQL, no request fails. `.ci/run pgbouncer` runs these behind PgBouncer, with
//! and without prepared statements.

use reqwest::Method;
use serde_json::json;

use crate::harness::database::{engine, pooler};
use crate::harness::requests::minimal;
use crate::harness::service::{Answer, Client, Service};
use kira_users::store::{Engine, Pooler};

/// Whether the pooler under test follows prepared statements, as who started it says.
fn follows_prepared() -> bool {
    std::env::var("KIRA_TEST_POOLER_PREPARED").is_ok_and(|says| says == "true")
}

async fn tour(client: Client) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..40 {
        let created = client.create(&minimal()).await;
        statuses.push(created.status);
        let path = format!("/v1/users/{}", created.json()["id"].as_str().expect("an id"));
        for request in [
            client.request(Method::GET, &path),
            client.request(Method::PUT, &path).json(&json!({"occupation": format!("Engineer {number}")})),
        ] {
            statuses.push(Answer::of(request.send().await.expect("an answer")).await.status);
        }
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_reads_and_updates_of_six_clients_at_once_all_succeed() {
    let service = Service::start().await;
    let mut tours = tokio::task::JoinSet::new();
    for _ in 0..6 {
        tours.spawn(tour(service.client().await));
    }
    let statuses = tours.join_all().await.concat();
    assert_eq!(statuses.len(), 6 * 40 * 3);
    assert!(statuses.iter().all(|status| matches!(status, 200 | 201)), "{statuses:?}");
    assert_eq!(service.database.count("users").await, 240);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readiness_says_which_pooler_is_in_front_of_the_database() {
    if engine() == Engine::Sqlite {
        return;
    }
    let service = Service::start().await;
    let expected = match (pooler(), follows_prepared()) {
        (None, _) => Pooler::None,
        (Some(_), true) => Pooler::Prepared,
        (Some(_), false) => Pooler::Unprepared,
    };
    let readiness = service.http.get(format!("{}/readyz", service.admin_url())).send().await.expect("an answer");
    let readiness: serde_json::Value = readiness.json().await.expect("JSON");
    assert_eq!(readiness["database"]["pooler"], expected.as_str());
}
