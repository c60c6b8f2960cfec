//! Attempts and their jobs.

use chrono::TimeDelta;
use kira_users::domain::verification::{Assurance, Outcome, Reason};
use kira_users::env::{Env, MockClock};
use kira_users::store::{
    ClaimedVerification, Creation, JobResult, NewClaim, NewVerification, ProviderAnswer, Start, Store,
    VerificationResult,
};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use uuid::Uuid;

use crate::harness::database::{ALL_EVENTS, TestDatabase};
use crate::store::sample;

pub(crate) const PROVIDER: &str = "test";
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(60);

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) store: Store,
    pub(crate) clock: MockClock,
    pub(crate) client: Uuid,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::migrated().await;
        let (store, clock) = (database.store().await, sample::clock());
        let client = sample::stored_client(&store, &clock).await;
        Self { database, store, clock, client }
    }

    /// A user whose verification is due.
    pub(crate) async fn user(&self) -> Uuid {
        let mut new = sample::user(&self.clock, self.client);
        new.verification.as_mut().expect("a verification").run_at = self.clock.now();
        let id = new.id;
        assert_eq!(self.store.create_user(new).await.expect("an outcome"), Creation::Inserted);
        id
    }

    pub(crate) async fn claim(&self) -> Vec<ClaimedVerification> {
        self.store.claim_verifications(&self.clock, PROVIDER, 10, LEASE).await.expect("a claim")
    }

    pub(crate) async fn settle(&self, claimed: &ClaimedVerification, result: VerificationResult) -> usize {
        let settlement = JobResult {
            job_id: claimed.job_id,
            lease: claimed.lease,
            client_id: claimed.user.client_id,
            user_id: claimed.user.id,
            attempt_id: claimed.attempt.id,
            result,
            answer: ProviderAnswer::default(),
            trace_context: None,
        };
        self.store.settle_verifications(&self.clock, vec![settlement]).await.expect("a settlement")
    }

    pub(crate) async fn status(&self, user: Uuid) -> String {
        self.store.find_user(self.client, user).await.expect("a read").expect("the user").status
    }

    pub(crate) async fn states(&self, user: Uuid) -> Vec<String> {
        let attempts = self.store.list_attempts(self.client, user, 10).await.expect("a read").expect("the user");
        attempts.into_iter().map(|attempt| attempt.state).collect()
    }

    /// Kind, sequence and payload of the user's events, in their order.
    pub(crate) async fn events(&self, user: Uuid) -> Vec<(String, i64, Value)> {
        let connection = self.database.look().await;
        let sql = format!("SELECT kind, sequence, payload FROM {ALL_EVENTS} WHERE user_id = $1 ORDER BY sequence");
        let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [user.into()]);
        let rows = connection.query_all_raw(statement).await.expect("the events");
        let read = |row: &sea_orm::QueryResult| {
            (
                row.try_get_by_index(0).expect("a kind"),
                row.try_get_by_index(1).expect("a sequence"),
                row.try_get_by_index(2).expect("a payload"),
            )
        };
        rows.iter().map(read).collect()
    }

    /// Changes rows behind the store's back.
    pub(crate) async fn execute(&self, sql: &str, id: Uuid) {
        let connection = self.database.look().await;
        let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [id.into()]);
        let result = connection.execute_raw(statement).await.expect("a statement that is right");
        assert_eq!(result.rows_affected(), 1);
    }

    pub(crate) async fn start(&self, user: Uuid, key: Uuid) -> Start {
        let version = self.store.find_user(self.client, user).await.expect("a read").map_or(0, |user| user.version);
        let now = self.clock.now();
        let new = NewVerification {
            attempt_id: self.clock.new_id(),
            trigger: "request",
            state: "pending",
            deadline_at: now + TimeDelta::hours(24),
            job_id: self.clock.new_id(),
            run_at: now,
            trace_context: None,
        };
        let claim = NewClaim { operation: "create_verification", key, fingerprint: [7; 64], outcome: None };
        let started = self.store.start_verification(&self.clock, self.client, user, version, new, claim).await;
        started.expect("an outcome")
    }
}

pub(crate) fn verified() -> VerificationResult {
    VerificationResult::Outcome { outcome: Outcome::verified(Assurance::Simulated), again_at: None }
}

fn rejected() -> VerificationResult {
    let reason = Reason::new("sandbox_rejected", "Because the test says so");
    VerificationResult::Outcome { outcome: Outcome::rejected(Assurance::Simulated, reason), again_at: None }
}

#[tokio::test]
async fn a_claimed_attempt_runs_and_its_outcome_moves_the_user_with_its_events() {
    let world = World::new().await;
    let user = world.user().await;
    let claimed = world.claim().await;
    assert_eq!((claimed.len(), claimed[0].tries), (1, 1));
    assert_eq!((claimed[0].user.status.as_str(), claimed[0].attempt.state.as_str()), ("VERIFYING", "running"));
    assert_eq!(claimed[0].attempt.provider.as_deref(), Some(PROVIDER));
    assert_eq!(world.settle(&claimed[0], verified()).await, 1);
    assert_eq!(world.status(user).await, "VERIFIED");
    assert_eq!(world.states(user).await, ["verified"]);
    let events = world.events(user).await;
    let reported: Vec<_> = events.iter().map(|(kind, sequence, _)| (kind.as_str(), *sequence)).collect();
    assert_eq!(
        reported,
        [
            ("user.created", 1),
            ("user.status_changed", 2),
            ("user.status_changed", 3),
            ("user.verification.accepted", 4)
        ]
    );
    assert_eq!(events[3].2["previous_status"], "VERIFYING");
    assert_eq!(events[3].2["status"], "VERIFIED");
    assert_eq!(world.database.count("jobs").await, 0);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reasons_and_kept_with_the_user() {
    let world = World::new().await;
    let user = world.user().await;
    let claimed = world.claim().await;
    world.settle(&claimed[0], rejected()).await;
    let record = world.store.find_user(world.client, user).await.expect("a read").expect("the user");
    assert_eq!(record.status, "REJECTED");
    assert_eq!(record.status_reasons.expect("reasons")[0]["code"], "sandbox_rejected");
    let (kind, _, payload) = world.events(user).await.pop().expect("an event");
    assert_eq!(
        (kind.as_str(), &payload["reasons"][0]["code"]),
        ("user.verification.failed", &"sandbox_rejected".into())
    );
}

#[tokio::test]
async fn a_claimed_job_cannot_be_claimed_until_its_lease_expires() {
    let world = World::new().await;
    let user = world.user().await;
    let first = world.claim().await;
    assert!(world.claim().await.is_empty());
    world.clock.advance(LEASE);
    let second = world.claim().await;
    assert_eq!((second.len(), second[0].tries), (1, 2));
    // The first worker was only slow: its result comes under a lease that has ended.
    assert_eq!(world.settle(&first[0], rejected()).await, 0);
    assert_eq!(world.status(user).await, "VERIFYING");
    assert_eq!(world.settle(&second[0], verified()).await, 1);
    assert_eq!(world.status(user).await, "VERIFIED");
}

#[tokio::test]
async fn of_workers_that_claim_at_once_each_gets_other_jobs() {
    let world = World::new().await;
    for _ in 0..12 {
        world.user().await;
    }
    let claims = futures_util::future::join_all((0..4).map(|_| world.claim())).await;
    let mut jobs: Vec<_> = claims.into_iter().flatten().map(|claimed| claimed.job_id).collect();
    while let more @ [_, ..] = world.claim().await.as_slice() {
        jobs.extend(more.iter().map(|claimed| claimed.job_id));
    }
    assert_eq!(jobs.len(), 12);
    jobs.sort_unstable();
    jobs.dedup();
    assert_eq!(jobs.len(), 12);
}

#[tokio::test]
async fn what_failed_comes_back_when_it_is_due_and_says_why() {
    let world = World::new().await;
    world.user().await;
    let claimed = world.claim().await;
    let again_at = world.clock.now() + TimeDelta::seconds(5);
    world.settle(&claimed[0], VerificationResult::Failed { again_at, code: "provider_unavailable" }).await;
    assert!(world.claim().await.is_empty());
    let look = world.database.look().await;
    let statement = Statement::from_string(look.get_database_backend(), "SELECT last_error FROM jobs");
    let row = look.query_one_raw(statement).await.expect("a read").expect("the job");
    assert_eq!(row.try_get_by_index::<String>(0).expect("a code"), "provider_unavailable");
    world.clock.advance(TimeDelta::seconds(5));
    assert_eq!(world.claim().await[0].tries, 2);
}

#[tokio::test]
async fn an_answer_ends_the_count_of_tries_and_a_job_handed_back_was_not_tried() {
    let world = World::new().await;
    world.user().await;
    let claimed = world.claim().await;
    world.settle(&claimed[0], VerificationResult::HandedBack).await;
    let claimed = world.claim().await;
    assert_eq!(claimed[0].tries, 1);
    world.settle(&claimed[0], VerificationResult::Pending { again_at: world.clock.now() }).await;
    assert_eq!(world.claim().await[0].tries, 1);
}

#[tokio::test]
async fn an_attempt_past_its_deadline_becomes_review_once() {
    let world = World::new().await;
    let user = world.user().await;
    let claimed = world.claim().await;
    world.clock.advance(TimeDelta::hours(24));
    let sweep = || world.store.review_overdue_verifications(&world.clock, 10);
    assert_eq!(sweep().await.expect("a sweep"), 1);
    assert_eq!(sweep().await.expect("a sweep"), 0);
    let record = world.store.find_user(world.client, user).await.expect("a read").expect("the user");
    assert_eq!(record.status, "REVIEW");
    assert_eq!(record.status_reasons.expect("reasons")[0]["code"], "verification_timeout");
    assert!(world.claim().await.is_empty(), "nothing is left to do");
    assert_eq!(world.database.count("jobs").await, 0);
    assert_eq!(world.settle(&claimed[0], verified()).await, 0);
}

#[tokio::test]
async fn a_request_verifies_a_rejected_user_again_and_a_late_result_of_the_older_attempt_changes_nothing() {
    let world = World::new().await;
    let user = world.user().await;
    let first = world.claim().await;
    world.settle(&first[0], rejected()).await;
    let key = world.clock.new_id();
    let Start::Started(attempt) = world.start(user, key).await else { panic!("it is started") };
    assert_eq!(world.status(user).await, "VERIFYING");
    let outcome = Outcome::verified(Assurance::Identity);
    let older = first[0].attempt.id;
    let answer = ProviderAnswer::default();
    let decide =
        |attempt| world.store.decide_verification(&world.clock, world.client, user, attempt, &outcome, answer.clone());
    assert!(!decide(older).await.expect("an outcome"));
    assert_eq!(world.status(user).await, "VERIFYING");
    assert!(decide(attempt.id).await.expect("an outcome"));
    assert_eq!(world.status(user).await, "VERIFIED");
    assert!(!decide(attempt.id).await.expect("an outcome"), "twice the same callback");
    assert_eq!(world.states(user).await, ["verified", "rejected"]);
    assert!(world.claim().await.is_empty(), "a job whose attempt was decided otherwise has nothing to do");
    assert_eq!(world.database.count("jobs").await, 0);
}

#[tokio::test]
async fn a_repeated_request_gets_its_claim_and_a_user_under_verification_is_not_verified_twice() {
    let world = World::new().await;
    let user = world.user().await;
    let key = world.clock.new_id();
    assert!(matches!(world.start(user, key).await, Start::NotAllowed(_)), "the create's attempt waits");
    let claimed = world.claim().await;
    world.settle(&claimed[0], rejected()).await;
    let starts = futures_util::future::join_all((0..3).map(|_| world.start(user, key))).await;
    let started = starts.iter().filter(|start| matches!(start, Start::Started(_))).count();
    let replayed = starts.iter().filter(|start| matches!(start, Start::Claimed(claim) if claim.user_id == user));
    assert_eq!((started, replayed.count()), (1, 2));
    assert!(matches!(world.start(user, world.clock.new_id()).await, Start::NotAllowed(_)));
    assert_eq!(world.start(world.clock.new_id(), key).await, Start::NoUser);
    assert_eq!(world.states(user).await, ["pending", "rejected"]);
}

#[tokio::test]
async fn a_start_that_was_decided_on_older_data_is_refused() {
    let world = World::new().await;
    let user = world.user().await;
    let new = NewVerification {
        attempt_id: world.clock.new_id(),
        trigger: "request",
        state: "pending",
        deadline_at: world.clock.now(),
        job_id: world.clock.new_id(),
        run_at: world.clock.now(),
        trace_context: None,
    };
    let claim =
        NewClaim { operation: "create_verification", key: world.clock.new_id(), fingerprint: [7; 64], outcome: None };
    let start = world.store.start_verification(&world.clock, world.client, user, 7, new, claim).await;
    assert_eq!(start.expect("an outcome"), Start::Changed);
    assert_eq!(world.database.count("verification_attempts").await, 1);
}

#[tokio::test]
async fn a_review_that_another_provider_asked_for_stays_as_it_is() {
    let world = World::new().await;
    let user = world.user().await;
    let claimed = world.claim().await;
    let outcome = Outcome::review(Assurance::Simulated, Reason::new("sandbox_review", "Because the test says so"));
    let again_at = Some(world.clock.now());
    world.settle(&claimed[0], VerificationResult::Outcome { outcome, again_at }).await;
    let elsewhere = world.store.claim_verifications(&world.clock, "another", 10, LEASE).await;
    assert!(elsewhere.expect("a claim").is_empty());
    assert_eq!(world.database.count("jobs").await, 0, "the provider is not polled again");
    assert_eq!((world.status(user).await.as_str(), world.states(user).await), ("REVIEW", vec!["review".to_owned()]));
    let attempts = world.store.list_attempts(world.client, user, 1).await.expect("a read").expect("the user");
    assert_eq!(attempts[0].provider.as_deref(), Some(PROVIDER));
}

#[tokio::test]
async fn a_job_whose_attempt_is_not_the_users_is_dropped() {
    let world = World::new().await;
    let user = world.user().await;
    world.execute("DELETE FROM verification_attempts WHERE user_id = $1", user).await;
    world.execute("UPDATE users SET attempt_id = NULL WHERE id = $1", user).await;
    assert!(world.claim().await.is_empty());
    assert_eq!(world.database.count("jobs").await, 0);
    assert!(world.states(user).await.is_empty());
}
