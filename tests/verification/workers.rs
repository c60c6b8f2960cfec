//! Workers that share the work, crash and stop.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::harness::service::{Service, http_client};
use crate::support::{Scripted, World};

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
    let store = &world.service.running.opened.store;
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
