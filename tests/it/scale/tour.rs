//! Calls of every method of the store that sends a statement.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use kira_users::domain::event::{EventKind, EventPayload};
use kira_users::domain::status::Status;
use kira_users::domain::user_type::UserType;
use kira_users::domain::verification::{Assurance, Outcome};
use kira_users::env::{Env, MockClock};
use kira_users::store::{
    ArchiveHead, ArchiveSegment, AttemptReport, Candidate, ClientClaim, DeliveryOutcome, DeliveryPage,
    DeliverySettlement, DeliveryState, EndpointRecord, Engine, EventFilter, FailurePolicy, IdRange, IdempotencyScope,
    IndexChange, IndexPass, JobResult, NewClaim, NewDelivery, NewDocument, NewEntries, NewEvent, NewReplay, NewUser,
    NewVerification, Once, ProviderAnswer, Replay, ReviewPage, ReviewStepRecord, Store, UserFilter, UserUpdate,
    VerificationChange, VerificationResult, WebhookAdmission,
};
use sea_orm::Statement;
use uuid::Uuid;

use super::fill::{Of, client_of, id};

/// The statements of each call.
pub(crate) struct Steps {
    pub(crate) sent: Arc<Mutex<Vec<Statement>>>,
    pub(crate) begun: Instant,
    pub(crate) all: Vec<(&'static str, Vec<Statement>)>,
}

impl Steps {
    /// Takes the statements that were sent since the last call. Of one text, the first is enough.
    fn end(&mut self, name: &'static str) {
        let mut sent = std::mem::take(&mut *self.sent.lock().expect("no panic"));
        let mut seen = HashMap::new();
        sent.retain(|statement| seen.insert(statement.sql.clone(), ()).is_none());
        eprintln!("{name}: {:.1?}", self.begun.elapsed());
        self.begun = Instant::now();
        self.all.push((name, sent));
    }
}

/// Everything may be sent.
struct Everything;

impl WebhookAdmission for Everything {
    fn full_clients(&self) -> Vec<Uuid> {
        Vec::new()
    }

    fn full_endpoints(&self) -> Vec<Uuid> {
        Vec::new()
    }

    fn room(&self, _endpoint: &EndpointRecord) -> usize {
        8
    }

    fn choose(&self, candidates: Vec<Candidate>) -> Vec<Uuid> {
        candidates.into_iter().map(|candidate| candidate.id).collect()
    }
}

const HEALTH: FailurePolicy = FailurePolicy {
    pause_after: 5,
    first_pause: TimeDelta::seconds(1),
    last_pause: TimeDelta::hours(1),
    // None is disabled: the endpoints that fail have done so since long before the time of the tour.
    disable_after: TimeDelta::days(100_000),
};

/// The time of the tour, in seconds since 1970.
pub(crate) const NOW: i64 = 1_767_225_600 + 500_000_000;

/// Calls everything.
pub(crate) async fn run(store: &Store, users: u64, steps: &mut Steps) {
    // After everything that is filled in, but before what is not due.
    let now = DateTime::<Utc>::from_timestamp(NOW, 0).expect("a time");
    let clock = MockClock::at(now);
    of_users(store, &clock, users, steps).await;
    of_lookups(store, &clock, users, steps).await;
    of_verifications(store, &clock, users, steps).await;
    of_reviews(store, &clock, users, steps).await;
    of_events(store, &clock, users, steps).await;
    of_deliveries(store, &clock, users, steps).await;
    of_webhooks(store, &clock, steps).await;
    of_replays(store, &clock, steps).await;
    of_the_archive(store, steps).await;
    of_rates(store, &clock, steps).await;
    of_the_rest(store, &clock, users, steps).await;
}

fn claim(clock: &MockClock) -> NewClaim {
    NewClaim { operation: "create_user", key: clock.new_id(), fingerprint: [3; 64], outcome: None }
}

fn event(clock: &MockClock, kind: EventKind) -> NewEvent {
    NewEvent { id: clock.new_id(), kind, payload: EventPayload::new(UserType::Individual, Status::Created) }
}

fn verification(clock: &MockClock, trigger: &'static str) -> NewVerification {
    NewVerification {
        attempt_id: clock.new_id(),
        trigger,
        state: "pending",
        deadline_at: clock.now() + TimeDelta::hours(24),
        job_id: clock.new_id(),
        run_at: clock.now(),
        trace_context: None,
    }
}

async fn of_users(store: &Store, clock: &MockClock, users: u64, steps: &mut Steps) {
    let client_id = id(Of::Client, 0);
    let new = NewUser {
        id: clock.new_id(),
        client_id,
        kind: "individual",
        category: Some("usa"),
        status: "CREATED",
        verification: Some(verification(clock, "create")),
        missing: serde_json::json!({}),
        wrapped_key: vec![1; 60],
        profile: vec![2; 300],
        created_at: clock.now(),
        documents: vec![NewDocument { id: clock.new_id(), object_key: "installation/new".to_owned() }],
        claim: claim(clock),
        event: event(clock, EventKind::UserCreated),
        fields: vec!["email".to_owned()],
        index: NewEntries {
            digests: vec![id(Of::Value, 1), id(Of::Value, 2)],
            unique_external_id: Some(clock.new_id()),
        },
    };
    let (user_id, document_id) = (new.id, new.documents[0].id);
    let scope = IdempotencyScope { client_id, operation: new.claim.operation, key: new.claim.key };
    store.create_user(new).await.expect("a user");
    steps.end("create");
    assert!(store.find_claim(&scope).await.expect("a read").is_some());
    store.claim_key(client_id, user_id, claim(clock), clock.now()).await.expect("a claim");
    steps.end("idempotency key");
    let stored = id(Of::User, users / 2 * 2);
    assert!(store.find_user(client_id, stored).await.expect("a read").is_some());
    let read = store.find_user(client_id, user_id).await.expect("a read").expect("the user");
    store.find_object_key(client_id, user_id, document_id).await.expect("a read").expect("the document");
    steps.end("get");
    let page = store.users_after(client_id, None, 100).await.expect("a page");
    let last = page.last().expect("users").id;
    store.users_after(client_id, Some(last), 100).await.expect("the next page");
    steps.end("export");
    let update = UserUpdate {
        category: Some("usa"),
        missing: serde_json::json!({}),
        profile: vec![3; 300],
        updated_at: clock.now(),
        documents: vec![NewDocument { id: clock.new_id(), object_key: "installation/newer".to_owned() }],
        removed: vec![document_id],
        verification: Some(VerificationChange {
            status: "VERIFYING",
            abandoned: "superseded",
            finished: &["verified", "rejected"],
            started: Some(verification(clock, "update")),
        }),
        events: vec![event(clock, EventKind::UserUpdated)],
        fields: vec!["email".to_owned()],
        claim: Some(claim(clock)),
        index: IndexChange {
            removed: vec![id(Of::Value, 1)],
            added: vec![id(Of::Value, 3)],
            unique_external_id: Some(clock.new_id()),
            released_external_id: None,
        },
    };
    store.update_user(&read, update).await.expect("a change");
    steps.end("update");
    assert_eq!(store.list_history(client_id, stored, None, 11).await.expect("a read").expect("the user").len(), 2);
    assert_eq!(store.list_history(client_id, stored, Some(4), 11).await.expect("a read").expect("the user").len(), 1);
    assert!(store.list_history(client_id, stored, Some(1), 11).await.expect("a read").expect("the user").is_empty());
    steps.end("history");
}

/// Values of users: every user has the first, one in ten the second, one in a thousand the third.
const VALUES: [u64; 3] = [1, 2, 3];

async fn of_lookups(store: &Store, clock: &MockClock, users: u64, steps: &mut Steps) {
    let client_id = id(Of::Client, 0);
    let (all, middle) = (IdRange::default(), IdRange { from: None, before: Some(id(Of::User, users / 4 * 2)) });
    let of = |statuses: &[&'static str], kinds: &[&'static str]| UserFilter {
        statuses: statuses.to_vec(),
        kinds: kinds.to_vec(),
    };
    for range in [all, middle] {
        for filter in [of(&[], &[]), of(&["CREATED"], &[]), of(&["REVIEW"], &["individual"]), of(&[], &["business"])] {
            store.list_users(client_id, &filter, range, 0, 11).await.expect("a page");
            steps.end("list of users");
        }
    }
    store.list_users(client_id, &of(&["VERIFIED"], &[]), all, 100, 11).await.expect("a page");
    steps.end("list of users, a later page");
    // The ids of these users are of the first hours of Unix time.
    let first = kira_users::store::first_id_at(DateTime::UNIX_EPOCH);
    assert!(first < id(Of::User, 0));
    let at = |second| DateTime::<Utc>::from_timestamp(second, 0);
    for (from, before) in [(None, None), (at(100), None), (at(1_000_000), at(2_000_000)), (at(5), at(3_600 * 30))] {
        store.count_users(client_id, &of(&["VERIFIED", "CREATED"], &[]), from, before).await.expect("a total");
    }
    steps.end("totals of users");
    for value in VALUES {
        for range in [all, middle] {
            let ids = store.indexed_users(client_id, id(Of::Value, value), range, 201).await.expect("users");
            assert!(!ids.is_empty(), "{value}");
            store.count_indexed(client_id, id(Of::Value, value), range, 10_000).await.expect("a number");
            let others: Vec<_> = VALUES.into_iter().filter(|other| *other < value).map(|v| id(Of::Value, v)).collect();
            store.matching_users(client_id, ids, &others, &of(&["VERIFIED"], &[])).await.expect("users");
        }
    }
    steps.end("search of users");
    store.fold_user_counts().await.expect("sums");
    steps.end("sums of users");
    store.index_pass().await.expect("a read");
    let now = clock.now();
    let pass = IndexPass { client_id, user_id: client_id, indexed: 0, first_at: now, began_at: now, ended_at: None };
    store.save_index_pass(&pass).await.expect("a write");
    store.index_versions_after(client_id, id(Of::User, users / 4 * 2), 500).await.expect("users");
    let stored = store.find_user(client_id, id(Of::User, users / 2 * 2)).await.expect("a read").expect("a user");
    assert!(store.index_user(&stored, &[id(Of::Value, 4)]).await.expect("a write"));
    store.prune_index(client_id, 1_000).await.expect("a batch");
    steps.end("rebuild of the index");
}

async fn of_verifications(store: &Store, clock: &MockClock, users: u64, steps: &mut Steps) {
    // Of the users whose number ends in 3 the verification is over.
    let number = users / 10 * 10 - 7;
    let (client_id, user_id) = (id(Of::Client, client_of(number)), id(Of::User, number));
    let start = store.start_verification(clock, client_id, user_id, 4, verification(clock, "request"), claim(clock));
    start.await.expect("an answer");
    steps.end("start of a verification");
    store.list_attempts(client_id, user_id, 50).await.expect("a read").expect("the user");
    store.find_attempt(client_id, id(Of::Attempt, number)).await.expect("a read").expect("the attempt");
    store.find_any_attempt(id(Of::Attempt, number)).await.expect("a read").expect("the attempt");
    steps.end("attempts");
    let claimed = store.claim_verifications(clock, "simulated", 64, TimeDelta::minutes(1)).await.expect("a claim");
    steps.end("claim of verifications");
    let outcome = || Outcome::verified(Assurance::Simulated);
    let results = claimed.iter().enumerate().map(|(number, claimed)| JobResult {
        job_id: claimed.job_id,
        lease: claimed.lease,
        client_id: claimed.user.client_id,
        user_id: claimed.user.id,
        attempt_id: claimed.attempt.id,
        result: match number % 2 {
            0 => VerificationResult::Outcome { outcome: outcome(), again_at: None },
            _ => VerificationResult::Pending { again_at: clock.now() + TimeDelta::days(1) },
        },
        answer: ProviderAnswer { sealed_reference: None, sealed: Some(vec![4; 20]) },
        trace_context: None,
    });
    store.settle_verifications(clock, results.collect()).await.expect("a settlement");
    steps.end("settlement of verifications");
    let review = users / 10 * 10;
    let attempt = store.find_any_attempt(id(Of::Attempt, review)).await.expect("a read").expect("the attempt");
    let answer = ProviderAnswer::default();
    let outcome = outcome();
    let decided = store.decide_verification(clock, attempt.client_id, attempt.user_id, attempt.id, &outcome, answer);
    decided.await.expect("an answer");
    steps.end("callback");
    store.review_overdue_verifications(clock, 100).await.expect("a search");
    steps.end("overdue verifications");
}

async fn of_reviews(store: &Store, clock: &MockClock, users: u64, steps: &mut Steps) {
    for client_id in [None, Some(id(Of::Client, 0)), Some(id(Of::Client, 5))] {
        store.waiting_reviews(ReviewPage { client_id, limit: 10, ..ReviewPage::default() }).await.expect("a page");
    }
    steps.end("reviews");
    store.waiting_reviews(ReviewPage { limit: 10, offset: 100, ..ReviewPage::default() }).await.expect("a page");
    let behind = Some(id(Of::Attempt, users / 2));
    for client_id in [None, Some(id(Of::Client, 0))] {
        store
            .waiting_reviews(ReviewPage { client_id, limit: 10, behind, ..ReviewPage::default() })
            .await
            .expect("a page");
    }
    steps.end("reviews, a later page");
    let attempt_id = id(Of::Attempt, users / 100 * 100 - 100);
    let review = store.find_review(attempt_id).await.expect("a read").expect("a review");
    steps.end("review");
    let step = ReviewStepRecord {
        id: clock.new_id(),
        reviewer_id: None,
        reviewer: "Ann".to_owned(),
        action: "approve".to_owned(),
        reason: None,
        sealed_note: None,
        created_at: clock.now(),
    };
    let outcome = Outcome::verified(Assurance::ManualReview);
    let judge = |_: &kira_users::store::ReviewView| Ok::<_, ()>(Some(outcome.clone()));
    store.take_review_step(clock, &review, step, None, judge).await.expect("a step");
    steps.end("step of a review");
}

async fn of_events(store: &Store, clock: &MockClock, users: u64, steps: &mut Steps) {
    store.queues(clock.now()).await.expect("the queues");
    steps.end("queues, with a backlog");
    let client_id = id(Of::Client, 0);
    store.find_position(client_id, id(Of::Event, users / 2 * 2)).await.expect("a read").expect("an event");
    store.last_position().await.expect("a read");
    steps.end("cursor");
    let all = EventFilter::default();
    for after in [0, i64::try_from(users).expect("a position")] {
        store.list_events(client_id, &all, after, 101).await.expect("a page");
    }
    steps.end("events");
    let of_user = EventFilter { user_id: Some(id(Of::User, users / 2 * 2)), ..EventFilter::default() };
    assert!(!store.list_events(client_id, &of_user, 0, 101).await.expect("a page").is_empty());
    steps.end("events of a user");
    let rare = EventFilter { kinds: vec!["user.verification.failed"], ..EventFilter::default() };
    store.list_events(client_id, &rare, 0, 101).await.expect("a page");
    steps.end("events of a rare kind");
    let two = EventFilter { kinds: vec!["user.verification.failed", "user.updated"], ..EventFilter::default() };
    store.list_events(client_id, &two, 0, 101).await.expect("a page");
    steps.end("events of two rare kinds");
    store.assign_positions().await.expect("positions");
    steps.end("positions");
    super::sinks::run(store, clock).await;
    steps.end("sinks");
    let seal = |_: &kira_users::store::RelayedEvent, _: Uuid| vec![7; 50];
    store.relay_events(clock, 500, &seal).await.expect("a relay");
    steps.end("relay");
}

async fn of_deliveries(store: &Store, clock: &MockClock, users: u64, steps: &mut Steps) {
    let client_id = Some(id(Of::Client, 0));
    let page = || DeliveryPage { client_id, limit: 10, ..DeliveryPage::default() };
    store.list_deliveries(page()).await.expect("a page");
    steps.end("deliveries");
    for state in [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead] {
        store.list_deliveries(DeliveryPage { state: Some(state), ..page() }).await.expect("a page");
    }
    steps.end("deliveries in a state");
    let endpoint_id = Some(id(Of::Endpoint, 1));
    store.list_deliveries(DeliveryPage { endpoint_id, ..page() }).await.expect("a page");
    let state = Some(DeliveryState::Dead);
    store.list_deliveries(DeliveryPage { endpoint_id, state, ..page() }).await.expect("a page");
    steps.end("deliveries of an endpoint");
    store.list_deliveries(DeliveryPage { client_id: None, ..page() }).await.expect("a page");
    steps.end("deliveries of all clients");
    let delivery = id(Of::Delivery, users / 2 * 2);
    let behind = store.delivery_place(id(Of::Client, 0), delivery).await.expect("a read");
    assert!(behind.is_some());
    steps.end("place of a delivery");
    store.list_deliveries(DeliveryPage { behind, ..page() }).await.expect("a page");
    store.list_deliveries(DeliveryPage { endpoint_id, state, behind, ..page() }).await.expect("a page");
    steps.end("deliveries, a later page");
    store.find_delivery(client_id, delivery).await.expect("a read").expect("the delivery");
    store.find_delivery(None, delivery).await.expect("a read").expect("the delivery");
    steps.end("delivery");
    let claimed = store.claim_deliveries(clock, &Everything, TimeDelta::minutes(1)).await.expect("a claim");
    assert!(!claimed.is_empty());
    steps.end("claim of deliveries");
    let settlements = claimed.into_iter().enumerate().map(|(number, claimed)| DeliverySettlement {
        client_id: claimed.endpoint.client_id,
        delivery_id: claimed.id,
        lease: claimed.lease,
        endpoint_id: claimed.endpoint.id,
        sent: match number % 3 {
            0 => DeliveryOutcome::Delivered,
            1 => DeliveryOutcome::Failed { again_at: Some(clock.now() + TimeDelta::days(1)), pause_until: None },
            _ => DeliveryOutcome::HandedBack,
        },
        report: Some(AttemptReport {
            number: claimed.number + 1,
            started_at: clock.now(),
            duration: TimeDelta::milliseconds(5),
            status_code: Some(200),
            error: None,
            sealed_answer: None,
        }),
    });
    let announce = |_: &EndpointRecord, _: &EndpointRecord| -> NewDelivery { unreachable!("none is disabled") };
    store.settle_deliveries(clock, settlements.collect(), &HEALTH, &announce).await.expect("a settlement");
    steps.end("settlement of deliveries");
    let one = Replay { client_id, delivery_id: Some(id(Of::Delivery, users / 500 * 500 - 497)), ..Replay::default() };
    store.replay_deliveries(&one, clock.now()).await.expect("a replay");
    steps.end("replay of a delivery");
    let claim = ClientClaim { client_id: id(Of::Client, 0), claim: claim(clock), resource_id: None };
    let delivery_id = one.delivery_id.expect("a delivery");
    store.replay_delivery(claim.client_id, delivery_id, Some(claim), clock.now()).await.expect("a replay");
    steps.end("replay of a delivery under a key");
    let failed = Replay { client_id, endpoint_id, failed_only: true, ..Replay::default() };
    store.replay_deliveries(&failed, clock.now()).await.expect("a replay");
    steps.end("replay of what failed");
    let since = DateTime::from_timestamp(1_767_225_600 + i64::try_from(users).expect("a time") - 5_000, 0);
    let since = Replay { client_id, endpoint_id, since, ..Replay::default() };
    store.replay_deliveries(&since, clock.now()).await.expect("a replay");
    steps.end("replay since a time");
}

async fn of_webhooks(store: &Store, clock: &MockClock, steps: &mut Steps) {
    let client_id = id(Of::Client, 0);
    store.list_endpoints(Some(client_id)).await.expect("a list");
    store.find_endpoint(Some(client_id), id(Of::Endpoint, 0)).await.expect("a read").expect("the endpoint");
    store.pending_deliveries(client_id, 10_000).await.expect("counts");
    store.failing_endpoints(clock.now()).await.expect("a count");
    steps.end("endpoints");
    let before = DateTime::<Utc>::from_timestamp(1_767_225_600 + 2_000, 0).expect("a time");
    for state in [DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Pending] {
        for endpoint in store.endpoints_to_prune(state, before).await.expect("a list").into_iter().take(1) {
            store.prune_deliveries(endpoint, state, None, before, 500).await.expect("a batch");
        }
    }
    store.prune_endpoints(before).await.expect("a batch");
    steps.end("retention");
}

async fn of_replays(store: &Store, clock: &MockClock, steps: &mut Steps) {
    let (client_id, endpoint_id) = (id(Of::Client, 0), id(Of::Endpoint, 1));
    for delivered_too in [true, false] {
        let new = NewReplay { id: clock.new_id(), client_id, endpoint_id, since: None, until: None, delivered_too };
        let added = store.add_replay(new, 10, None, clock.now()).await.expect("a replay");
        let Once::Done(Some(added)) = added else { panic!("there is room") };
        store.find_replay(client_id, added.id).await.expect("a read").expect("the replay");
        assert!(store.continue_replay(clock).await.expect("a batch"));
        // The batch after the first, where there is one.
        store.continue_replay(clock).await.expect("a batch");
        store.cancel_replay(client_id, added.id, None, clock.now()).await.expect("a change");
    }
    store.list_replays(client_id, None, 10).await.expect("a list");
    store.list_replays(client_id, Some(endpoint_id), 10).await.expect("a list");
    store.prune_replays(clock.now()).await.expect("a batch");
    steps.end("replays");
}

async fn of_the_archive(store: &Store, steps: &mut Steps) {
    let day = DateTime::<Utc>::from_timestamp(1_767_225_600, 0).expect("a time");
    store.next_archive_segment(day + TimeDelta::days(1)).await.expect("a segment");
    let client_id = id(Of::Client, 0);
    let segment = ArchiveSegment { first: 1, last: 1_500, day };
    let head = ArchiveHead {
        client_id,
        last_position: 1_500,
        last_event_id: id(Of::Event, 1_500),
        stored_from: segment.end(),
        digest: "00".to_owned(),
    };
    assert!(store.finish_archive_segment(segment, vec![head]).await.expect("a change"));
    store.archive_of(client_id).await.expect("a read").expect("how far it is");
    store.delete_archived_events().await.expect("a batch");
    steps.end("archive");
}

/// What PostgreSQL alone has.
async fn of_rates(store: &Store, clock: &MockClock, steps: &mut Steps) {
    if store.engine() == Engine::Postgres {
        let (span, burst) = (TimeDelta::milliseconds(100), TimeDelta::seconds(1));
        store.take_rate(id(Of::Client, 0), clock.now(), span, burst).await.expect("a write");
        steps.end("rate");
    }
}

async fn of_the_rest(store: &Store, clock: &MockClock, users: u64, steps: &mut Steps) {
    let keys = (1..=500).map(|number| format!("installation/2026-01-01T00/{}", id(Of::Document, users - number)));
    let keys: Vec<_> = keys.collect();
    assert_eq!(store.referenced_object_keys(&keys).await.expect("a read").len(), 500);
    steps.end("orphaned objects");
    let objects = store.objects_to_delete(500).await.expect("a read");
    store.prune_objects_to_delete(&objects).await.expect("a batch");
    steps.end("objects to delete");
    store.list_clients().await.expect("a list");
    store.find_client(id(Of::Client, 3)).await.expect("a read").expect("the client");
    let mut digest = [0; 32];
    digest[31] = 3;
    store.client_by_api_key(&digest).await.expect("a read").expect("the client");
    store.credentials_of(id(Of::Client, 3)).await.expect("a read");
    store.disable_client(id(Of::Client, 19), clock.now()).await.expect("a change");
    steps.end("clients");
}
