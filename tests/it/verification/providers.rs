//! Providers that answer late, badly or not at all.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use kira_users::verification::{Progress, ProviderError, ProviderResponse, Worker};

use crate::verification::support::{Act, Scripted, World, verified};

/// The first wait before a job is tried again is this at most.
const RETRY: TimeDelta = TimeDelta::seconds(1);

async fn drain(worker: &Arc<Worker>) -> usize {
    worker.drain().await.expect("the database answers")
}

#[tokio::test]
async fn a_provider_reads_the_files_and_gets_its_reference_back() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let pending = Progress::Pending { poll_after: Duration::from_secs(10) };
    let answer =
        ProviderResponse { progress: pending, reference: Some("case-7".to_owned()), raw: Some(b"raw answer".to_vec()) };
    let provider = Scripted::new([Act::Answer(answer)]);
    let worker = world.worker(&provider);
    assert_eq!(drain(&worker).await, 1);
    world.advance(TimeDelta::seconds(10));
    assert_eq!(drain(&worker).await, 1);
    assert_eq!(world.status(&id).await, "VERIFIED");
    assert_eq!(*provider.references.lock(), [None, Some("case-7".to_owned())]);
    assert!(provider.sizes.lock().iter().all(|size| *size > 0));
    assert_eq!(provider.sizes.lock().len(), 6, "three files, twice");
    let sealed = world.column("SELECT provider FROM verification_attempts WHERE sealed_answer IS NOT NULL").await;
    assert_eq!(sealed, ["scripted"]);
}

#[tokio::test]
async fn a_provider_that_fails_or_panics_is_asked_again_and_the_worker_lives_on() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let provider =
        Scripted::new([Act::Panic, Act::Fail(ProviderError::Unavailable), Act::Fail(ProviderError::Timeout)]);
    let worker = world.worker(&provider);
    let mut codes = Vec::new();
    for wait in [1, 2, 4] {
        assert_eq!(drain(&worker).await, 1);
        assert_eq!(drain(&worker).await, 0, "not at once");
        codes.extend(world.column("SELECT last_error FROM jobs").await);
        world.advance(RETRY * wait);
    }
    assert_eq!(codes, ["provider_panicked", "provider_unavailable", "provider_timeout"]);
    assert_eq!(world.status(&id).await, "VERIFYING");
    assert_eq!(drain(&worker).await, 1);
    assert_eq!(world.status(&id).await, "VERIFIED");
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_and_the_jobs_stay_queued() {
    let world = World::new().await;
    for _ in 0..5 {
        world.individual("Doe").await;
    }
    let provider = Scripted::new((0..6).map(|_| Act::Fail(ProviderError::Unavailable)));
    let worker = world.worker(&provider);
    assert_eq!(drain(&worker).await, 5);
    assert_eq!(worker.health().circuit, "open");
    world.advance(TimeDelta::seconds(29));
    assert_eq!(drain(&worker).await, 0, "the circuit is open");
    assert_eq!(world.service.database.count("jobs").await, 5);
    world.advance(TimeDelta::seconds(1));
    assert_eq!(worker.health().circuit, "half-open");
    assert_eq!(drain(&worker).await, 1, "one job tries");
    assert_eq!(worker.health().circuit, "open");
    world.advance(TimeDelta::seconds(30));
    assert_eq!(drain(&worker).await, 5);
    assert_eq!((worker.health().circuit, provider.calls()), ("closed", 11));
    assert_eq!(world.service.database.count("jobs").await, 0);
}

#[tokio::test]
async fn a_provider_that_refuses_a_case_leaves_it_to_a_person() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let worker = world.worker(&Scripted::new([Act::Fail(ProviderError::Refused)]));
    drain(&worker).await;
    let user = world.user(&id).await;
    assert_eq!((&user["status"], &user["status_reasons"][0]["code"]), (&"REVIEW".into(), &"provider_refused".into()));
}

#[tokio::test]
async fn a_file_that_is_gone_is_no_fault_of_the_providers() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    std::fs::remove_dir_all(world.service.folder.path().join("documents")).expect("the folder is there");
    let worker = world.worker(&Scripted::new([]));
    drain(&worker).await;
    assert_eq!(world.column("SELECT last_error FROM jobs").await, ["document_unreadable"]);
    assert_eq!((world.status(&id).await.as_str(), worker.health().circuit), ("VERIFYING", "closed"));
    for _ in 1..5 {
        world.advance(TimeDelta::minutes(1));
        assert_eq!(drain(&worker).await, 1);
    }
    let user = world.user(&id).await;
    let found = (&user["status"], &user["status_reasons"][0]["code"], worker.health().circuit);
    assert_eq!(found, (&"REVIEW".into(), &"document_unreadable".into(), "closed"));
}

#[tokio::test]
async fn a_profile_that_does_not_open_is_left_to_a_person_soon() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    world.execute("UPDATE users SET profile = wrapped_key").await;
    let provider = Scripted::new([]);
    let worker = world.worker(&provider);
    for _ in 0..5 {
        assert_eq!(drain(&worker).await, 1);
        world.advance(TimeDelta::minutes(1));
    }
    let sql = "SELECT reasons FROM verification_attempts WHERE state = 'review'";
    assert!(world.column(&sql.replace("reasons", "CAST(reasons AS text)")).await[0].contains("profile_unreadable"));
    assert_eq!((provider.calls(), drain(&worker).await), (0, 0), "{id}");
}

#[tokio::test]
async fn an_attempt_of_another_provider_starts_again() {
    let world = World::with(&[("KIRA_SANDBOX_DELAY", "2s")]).await;
    let id = world.individual("Doe").await;
    world.drain().await;
    world.advance(TimeDelta::seconds(2));
    let provider = Scripted::new([Act::Answer(verified())]);
    drain(&world.worker(&provider)).await;
    assert_eq!(world.status(&id).await, "VERIFIED");
    assert_eq!(*provider.references.lock(), [None]);
    assert_eq!(world.column("SELECT provider FROM verification_attempts").await, ["scripted"]);
}

#[tokio::test]
async fn a_case_at_which_the_provider_always_panics_is_left_to_a_person() {
    let world = World::new().await;
    let id = world.individual("Doe").await;
    let worker = world.worker(&Scripted::new((0..5).map(|_| Act::Panic)));
    for _ in 0..5 {
        assert_eq!(drain(&worker).await, 1);
        world.advance(TimeDelta::minutes(1));
    }
    let user = world.user(&id).await;
    let found = (&user["status"], &user["status_reasons"][0]["code"], worker.health().circuit);
    assert_eq!(found, (&"REVIEW".into(), &"provider_panicked".into(), "closed"));
}
