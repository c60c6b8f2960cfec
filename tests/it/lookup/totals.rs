//! Totals are those of a count.

use chrono::{DateTime, TimeDelta, Utc};
use kira_users::domain::status::Status;
use kira_users::domain::verification::{Assurance, Outcome, Reason};
use kira_users::store::UserFilter;
use serde_json::json;
use uuid::Uuid;

use crate::harness::service::{BEGINNING, Client, Service};
use crate::lookup::support::{created, found, listed, named};
use crate::updates::support::{put, texts};

/// Compares the total of many filters with a count of the rows.
async fn compare(service: &Service, client: &Client) {
    let store = &service.running.resources.store;
    let beginning: DateTime<Utc> = BEGINNING.parse().expect("a time");
    let hour = |hours: i64, seconds: i64| Some(beginning + TimeDelta::hours(hours) + TimeDelta::seconds(seconds));
    let times = [
        (None, None),
        (hour(1, 0), None),
        (hour(0, 30), hour(40, 1)),
        (hour(-1, 0), hour(3, 20)),
        (None, hour(14, 0)),
        (hour(2, 5), hour(2, 10)),
        (hour(14, 0), hour(62, 0)),
    ];
    for statuses in [vec![], vec!["CREATED"], vec!["VERIFYING", "VERIFIED"], vec!["REJECTED", "REVIEW"]] {
        for kinds in [vec![], vec!["individual"], vec!["business"]] {
            for (from, before) in times {
                let filter = UserFilter { statuses: statuses.clone(), kinds: kinds.clone() };
                let total = store.count_users(client.id, &filter, from, before).await.expect("a total");
                let list = |words: &[&str]| words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(",");
                let mut sql = "SELECT CAST(count(*) AS text) FROM users WHERE TRUE".to_owned();
                for (column, words) in [("status", &statuses), ("kind", &kinds)] {
                    if !words.is_empty() {
                        sql += &format!(" AND {column} IN ({})", list(words));
                    }
                }
                for (operator, time) in [(">=", from), ("<", before)] {
                    if let Some(time) = time {
                        sql += &format!(" AND created_at {operator} '{}'", time.format("%Y-%m-%dT%H:%M:%S%.f+00:00"));
                    }
                }
                assert_eq!([total.to_string()].to_vec(), texts(service, &sql).await, "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn totals_are_those_of_a_count_after_any_changes_and_whenever_they_are_summed_up() {
    // No verification ends by its deadline while rows are compared.
    let service = Service::start_with(&[("KIRA_VERIFICATION_DEADLINE", "8000h")]).await;
    let mut client = service.client().await;
    let store = service.running.resources.store.clone();
    let mut ids = Vec::new();
    for number in 0..40_u32 {
        service.clock.advance(TimeDelta::seconds(i64::from(number % 7) * 1_500));
        client.renew_token().await;
        let body = match number % 3 {
            0 => json!({"type": "business", "email": "a@b.example", "business_legal_name": format!("Acme {number}")}),
            1 => crate::harness::requests::with_files(),
            _ => named("Ada", "Lovelace"),
        };
        ids.push(created(&service, &client, &body).await);
        if number % 8 == 5 {
            store.fold_user_counts().await.expect("a fold");
        }
    }
    compare(&service, &client).await;
    // Verifications begin and end, and changes of data begin others.
    let clock = service.clock.as_ref();
    let claimed = store.claim_verifications(clock, "sandbox", 64, TimeDelta::minutes(1)).await.expect("a claim");
    assert!(claimed.len() > 5, "some verifications have begun");
    compare(&service, &client).await;
    for (number, claimed) in claimed.iter().enumerate().filter(|(number, _)| number % 3 < 2) {
        let outcome = match number % 3 {
            0 => Outcome::verified(Assurance::Simulated),
            _ => Outcome::review(Assurance::Simulated, Reason::new("looked", "A person looks at it")),
        };
        let (user, attempt) = (claimed.user.id, claimed.attempt.id);
        let decided = store.decide_verification(clock, client.id, user, attempt, &outcome, Default::default());
        decided.await.expect("an outcome");
    }
    compare(&service, &client).await;
    for id in ids.iter().step_by(4) {
        let id: &String = id;
        put(&client, id, &json!({"phone": "+12025550000"})).await;
        put(&client, id, &json!({"last_name": "Other"})).await;
    }
    compare(&service, &client).await;
    while store.fold_user_counts().await.expect("a fold") > 0 {}
    compare(&service, &client).await;
    assert_eq!(service.database.count("user_count_changes").await, 0);
    let (_, total) = found(&client, &[("limit", "1")]).await;
    assert_eq!(total, ids.len() as u64);
    let statuses = texts(&service, "SELECT DISTINCT status FROM users").await;
    assert!(statuses.len() >= 3, "{statuses:?}");
    assert!(statuses.iter().all(|status| status.parse::<Status>().is_ok()));
}

#[tokio::test]
async fn creates_and_folds_at_the_same_time_lose_no_user() {
    let service = Service::start().await;
    let client = service.client().await;
    let store = &service.running.resources.store;
    let creates = (0..40).map(|_| async {
        let body = named("Ada", "Lovelace");
        assert_eq!(client.create_with(Uuid::new_v4(), &body).await.status, 201);
    });
    let folds = (0..20).map(|_| async {
        store.fold_user_counts().await.expect("a fold");
        let total = listed(&client, &[("limit", "1")]).await["pagination"]["total"].as_u64();
        assert!(total.expect("a total") <= 40);
    });
    tokio::join!(futures_util::future::join_all(creates), futures_util::future::join_all(folds));
    store.fold_user_counts().await.expect("a fold");
    assert_eq!(found(&client, &[("limit", "1")]).await.1, 40);
}
