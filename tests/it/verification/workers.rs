//! Workers that share the work, crash and stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use kira_users::verification::ProviderError;
use tokio_util::sync::CancellationToken;

use crate::harness::service::{Service, http_client};
use crate::verification::support::{Act, Scripted, World};

#[tokio::test]
async fn several_workers_verify_each_attempt_once() {
    let world = World::new().await;
    for _ in 0..10 {
        world.individual("Doe").await;
    }
    let provider = Scripted::new([]);
    let workers: Vec<_> = (0..3).map(|_| world.worker(&provider)).collect();
    let counts = join_all(workers.iter().map(|worker| worker.drain())).await;
    let total: usize = counts.into_iter().map(|count| count.expect("the database answers")).sum();
    // One that came while another held all that was due found nothing.
    let rest = workers[0].drain().await.expect("the database answers");
    assert_eq!((total + rest, provider.calls()), (10, 10));
    let accepted = world.events().await.into_iter().filter(|kind| kind == "user.verification.accepted");
    assert_eq!(accepted.count(), 10);
}

#[tokio::test]
async fn the_job_of_a_worker_that_crashed_is_taken_up_when_its_lease_ends() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let store = &world.service.running.resources.store;
    let lease = TimeDelta::seconds(120);
    let crashed = store.claim_verifications(world.service.clock.as_ref(), "sandbox", 10, lease).await;
    assert_eq!(crashed.expect("a claim").len(), 1);
    assert_eq!(world.drain().await, 0);
    assert_eq!(world.status(&id).await, "VERIFYING");
    world.advance(lease);
    assert_eq!(world.drain().await, 1);
    assert_eq!(world.status(&id).await, "VERIFIED");
}

#[tokio::test]
async fn a_worker_in_the_server_verifies_without_being_asked() {
    let world = World::with(&[("KIRA_SANDBOX_DELAY", "0s"), ("KIRA_WORKER", "true")]).await;
    let id = world.individual("Doe").await;
    let verified = async { while world.status(&id).await != "VERIFIED" {} };
    tokio::time::timeout(Duration::from_secs(20), verified).await.expect("the user is verified soon");
}

#[tokio::test]
async fn a_worker_that_stops_hands_back_what_it_has_not_done() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let provider = Scripted::waiting();
    let worker = world.worker(&provider);
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker.run(stop.clone()));
    provider.called().await;
    stop.cancel();
    running.await.expect("no panic");
    assert_eq!(world.drain().await, 1, "no lease is left to wait for");
    assert_eq!(world.status(&id).await, "VERIFIED");
}

#[tokio::test]
async fn readyz_shows_the_worker_and_its_provider() {
    let service = Service::start().await;
    let answer = http_client().get(format!("{}/readyz", service.admin_url())).send().await.expect("an answer");
    let body: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(body["status"], "ready");
    assert_eq!(body["verification"], serde_json::json!({"provider": "sandbox", "worker": false, "circuit": "closed"}));
}

#[tokio::test]
async fn cases_whose_files_do_not_fit_together_come_one_after_the_other() {
    for (memory, together) in [(200 * 1024 * 1024, false), (u64::MAX, false), (0, true)] {
        let world = World::new().await;
        for _ in 0..4 {
            world.individual("Doe").await;
        }
        let provider = Scripted::holding(memory);
        assert_eq!(world.worker(&provider).drain().await.expect("the database answers"), 4);
        assert_eq!(provider.most_at_once.load(Ordering::Relaxed) > 1, together, "{memory}");
    }
}

#[tokio::test]
async fn a_case_that_takes_longer_than_the_providers_budget_is_given_up() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let worker = world.worker(&Scripted::waiting_for(Some(Duration::ZERO)));
    for _ in 0..5 {
        assert_eq!(worker.drain().await.expect("the database answers"), 1);
        world.advance(TimeDelta::minutes(1));
    }
    let user = world.user(&id).await;
    let found = (&user["status"], &user["status_reasons"][0]["code"], worker.health().circuit);
    assert_eq!(found, (&"REVIEW".into(), &"too_complex".into(), "closed"));
}

#[tokio::test]
async fn a_lease_lasts_for_as_long_as_the_provider_may_take() {
    let world = World::new().await;
    world.individual("Doe").await;
    let provider = Scripted::waiting_for(Some(Duration::from_secs(600)));
    let stop = CancellationToken::new();
    let running = tokio::spawn(world.worker(&provider).run(stop.clone()));
    provider.called().await;
    world.advance(TimeDelta::minutes(10));
    assert_eq!(world.drain().await, 0, "it is still the first worker's");
    stop.cancel();
    running.await.expect("no panic");
}

#[tokio::test]
async fn a_worker_that_panics_starts_again() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let provider = Scripted::panicking();
    let worker = world.worker(&provider);
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&worker).run(stop.clone()));
    provider.called().await;
    stop.cancel();
    running.await.expect("no panic");
    assert!(!worker.health().running);
    world.drain().await;
    assert_eq!(world.status(&id).await, "VERIFIED");
}

#[tokio::test]
async fn a_worker_that_was_killed_does_not_count_as_running() {
    let world = World::new().await;
    world.individual("Doe").await;
    let provider = Scripted::waiting();
    let worker = world.worker(&provider);
    let running = tokio::spawn(Arc::clone(&worker).run(CancellationToken::new()));
    provider.called().await;
    assert!(worker.health().running);
    running.abort();
    assert!(running.await.expect_err("it was killed").is_cancelled());
    assert!(!worker.health().running);
}

#[tokio::test]
async fn a_provider_that_was_down_is_tried_by_one_job_until_its_result_is_known() {
    let world = World::new().await;
    for _ in 0..5 {
        world.individual("Doe").await;
    }
    let acts = (0..5).map(|_| Act::Fail(ProviderError::Unavailable));
    let provider = Scripted::new(acts);
    let worker = world.worker(&provider);
    assert_eq!(worker.drain().await.expect("the database answers"), 5);
    world.advance(TimeDelta::seconds(30));
    provider.wait(true);
    // The calls before have left a notice.
    provider.called().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&worker).run(stop.clone()));
    provider.called().await;
    assert_eq!(worker.run_once().await.expect("the database answers"), 0, "one is on trial");
    assert_eq!(worker.health().circuit, "half-open");
    stop.cancel();
    running.await.expect("no panic");
    provider.wait(false);
    assert_eq!(worker.drain().await.expect("the database answers"), 5, "the trial had no result: another one");
    assert_eq!(worker.health().circuit, "closed");
}

#[tokio::test]
async fn a_deadline_counts_without_a_worker() {
    let world = World::with(&[("KIRA_WORKER", "false"), ("KIRA_VERIFICATION_DEADLINE", "30m")]).await;
    let id = world.individual("Doe").await;
    world.advance(TimeDelta::minutes(30));
    let reviewed = async { while world.status(&id).await != "REVIEW" {} };
    tokio::time::timeout(Duration::from_secs(60), reviewed).await.expect("the deadline is noticed soon");
}
