//! What becomes of a review.

use chrono::TimeDelta;
use kira_users::contract::v1;
use kira_users::contract::v1::reviews_service_client::ReviewsServiceClient;
use kira_users::domain::verification::{Assurance, Outcome};
use kira_users::store::ProviderAnswer;
use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::harness::database::ALL_EVENTS;
use crate::harness::service::{Answer, Client};
use crate::reviews::support::{Office, act, approve, code};

#[tokio::test]
async fn what_waits_is_listed_oldest_first_with_its_reasons() {
    let office = Office::open(&[]).await;
    let older = office.waiting().await;
    office.service.clock.advance(TimeDelta::minutes(1));
    let newer = office.waiting().await;
    let list = office.ann.get("/v1/reviews").await.json();
    let ids: Vec<_> = list["data"].as_array().expect("a list").iter().map(|review| review["id"].clone()).collect();
    assert_eq!(ids, [json!(older.review_id), json!(newer.review_id)]);
    assert_eq!(list["data"][0]["reasons"][0]["code"], "planned");
    assert_eq!(list["data"][0]["client_name"], "test");
    assert_eq!(list["pagination"], json!({"total": 2, "limit": 10, "offset": 0, "has_more": false}));
    let second = office.ann.get("/v1/reviews?limit=1&offset=1").await.json();
    assert_eq!((&second["data"][0]["id"], &second["pagination"]["has_more"]), (&json!(newer.review_id), &json!(false)));
    assert_eq!(office.ann.get("/v1/reviews?limit=101").await.status, 400);
}

#[tokio::test]
async fn a_cursor_goes_on_behind_a_review_also_when_it_is_decided() {
    let office = Office::open(&[]).await;
    let (older, newer) = (office.waiting().await, office.waiting().await);
    let first = &office.ann.get("/v1/reviews?limit=1").await.json()["pagination"];
    assert_eq!((&first["has_more"], &first["next_cursor"]), (&json!(true), &json!(older.review_id)));
    approve(&office.ann, &older).await;
    let rest = office.ann.get(&format!("/v1/reviews?limit=1&cursor={}", older.review_id)).await.json();
    assert_eq!((&rest["data"][0]["id"], &rest["pagination"]["has_more"]), (&json!(newer.review_id), &json!(false)));
    for (query, path) in [("cursor=1", "cursor"), ("offset=0&cursor=00000000-0000-0000-0000-000000000000", "offset")] {
        let wrong = office.ann.get(&format!("/v1/reviews?{query}")).await;
        assert_eq!((wrong.status, wrong.json()["details"][0]["path"].clone()), (400, json!(path)));
    }
}

#[tokio::test]
async fn an_approval_verifies_the_user() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    let body = json!({"reason": "Seen in person", "note": "Passport checked by Ann"});
    let answer = act(&office.ann, &waiting.review_id, "approve", body).await;
    assert_eq!(answer.status, 200);
    let review = answer.json();
    assert_eq!(review["decision"], "approved");
    assert_eq!(review["steps"][0]["reviewer"], "Ann");
    assert_eq!(review["steps"][0]["note"], "Passport checked by Ann");
    assert_eq!(office.total().await, 0);
    let user = office.customer.get(&format!("/v1/users/{}", waiting.user_id)).await.json();
    assert_eq!((&user["status"], user.get("status_reasons")), (&json!("VERIFIED"), None));
    let history = office.customer.get(&format!("/v1/users/{}/verifications", waiting.user_id)).await.json();
    assert_eq!(history["data"][0]["reasons"][0]["message"], "Seen in person");
    assert_eq!(history["data"][0]["assurance"], "manual_review");
}

#[tokio::test]
async fn a_rejection_needs_a_reason_and_rejects_the_user() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    let silent = act(&office.ann, &waiting.review_id, "reject", json!({})).await;
    assert_eq!((silent.status, silent.json()["details"][0]["path"].clone()), (400, json!("reason")));
    let answer = act(&office.ann, &waiting.review_id, "reject", json!({"reason": "The picture is unreadable"})).await;
    assert_eq!((answer.status, answer.json()["decision"].clone()), (200, json!("rejected")));
    assert_eq!(office.status(&waiting).await, "REJECTED");
}

#[tokio::test]
async fn what_is_decided_or_unknown_takes_no_decision() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    assert_eq!(approve(&office.ann, &waiting).await.status, 200);
    assert_eq!(code(&approve(&office.bob, &waiting).await), (409, "review_closed".to_owned()));
    let created = office.customer.create(&crate::harness::requests::with_files()).await.json();
    let id = Uuid::parse_str(created["id"].as_str().expect("an id")).expect("a UUID");
    let store = &office.service.running.resources.store;
    let user = store.find_user(office.customer.id, id).await.expect("the database").expect("the user");
    let not_in_review = user.attempt_id.expect("an attempt").to_string();
    for unknown in [not_in_review.as_str(), &Uuid::nil().to_string()] {
        let answer = act(&office.ann, unknown, "approve", json!({})).await;
        assert_eq!(code(&answer), (404, "not_found".to_owned()));
    }
}

#[tokio::test]
async fn a_claimed_review_is_the_claimers_for_an_hour() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    let claimed = act(&office.ann, &waiting.review_id, "claim", json!({})).await;
    assert_eq!((claimed.status, claimed.json()["claim"]["reviewer"].clone()), (200, json!("Ann")));
    assert_eq!(code(&approve(&office.bob, &waiting).await), (409, "review_not_yours".to_owned()));
    assert_eq!(act(&office.ann, &waiting.review_id, "release", json!({})).await.status, 200);
    assert_eq!(act(&office.ann, &waiting.review_id, "claim", json!({})).await.status, 200);
    office.service.clock.advance(TimeDelta::minutes(59));
    assert_eq!(approve(&office.bob, &waiting).await.status, 409);
    office.service.clock.advance(TimeDelta::minutes(1));
    let (mut ann, mut bob) = (office.ann.clone(), office.bob.clone());
    ann.renew_token().await;
    bob.renew_token().await;
    assert_eq!(approve(&bob, &waiting).await.status, 200);
}

#[tokio::test]
async fn with_four_eyes_two_reviewers_must_agree() {
    let office = Office::open(&[("KIRA_REVIEW_FOUR_EYES", "true")]).await;
    let waiting = office.waiting().await;
    let first = approve(&office.ann, &waiting).await;
    assert_eq!((first.status, first.json()["proposal"]["reviewer"].clone()), (200, json!("Ann")));
    assert_eq!(office.status(&waiting).await, "REVIEW");
    assert_eq!(code(&approve(&office.ann, &waiting).await), (409, "review_not_yours".to_owned()));
    let second = approve(&office.bob, &waiting).await;
    assert_eq!((second.status, second.json()["decision"].clone()), (200, json!("approved")));
    assert_eq!(office.status(&waiting).await, "VERIFIED");
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_does() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    let reject = act(&office.bob, &waiting.review_id, "reject", json!({"reason": "No"}));
    let (approved, rejected) = tokio::join!(approve(&office.ann, &waiting), reject);
    let mut answers = [approved.status, rejected.status];
    answers.sort_unstable();
    assert_eq!(answers, [200, 409]);
    let expected = if approved.status == 200 { "VERIFIED" } else { "REJECTED" };
    assert_eq!(office.status(&waiting).await, expected);
}

#[tokio::test]
async fn reviews_are_decided_over_grpc_too() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    let mut grpc = ReviewsServiceClient::new(office.ann.channel.clone());
    let list = grpc.list_reviews(office.ann.call(v1::ListReviewsRequest::default())).await.expect("a list");
    assert_eq!(list.into_inner().data[0].id, waiting.review_id);
    let request = || v1::ApproveReviewRequest {
        review_id: Some(waiting.review_id.clone()),
        ..v1::ApproveReviewRequest::default()
    };
    let answer = grpc.approve_review(office.ann.call(request())).await.expect("an approval").into_inner();
    assert!(answer.review.expect("the review").decision() == v1::ReviewDecision::Approved);
    let again = grpc.approve_review(office.ann.call(request())).await.expect_err("it is decided");
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert_eq!(office.status(&waiting).await, "VERIFIED");
}

#[tokio::test]
async fn notes_are_sealed_and_every_change_of_status_is_an_event() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    let body = json!({"note": "a planted secret"});
    assert_eq!(act(&office.ann, &waiting.review_id, "approve", body).await.status, 200);
    let database = office.service.database.look().await;
    let backend = database.get_database_backend();
    let rows = database.query_all_raw(Statement::from_string(backend, "SELECT sealed_note FROM review_steps")).await;
    let note: Vec<u8> = rows.expect("the rows")[0].try_get("", "sealed_note").expect("bytes");
    assert!(!note.windows(6).any(|window| window == b"secret"));
    let events = &format!("SELECT kind, sequence FROM {ALL_EVENTS} ORDER BY sequence");
    let rows = database.query_all_raw(Statement::from_string(backend, events)).await.expect("the rows");
    let reported: Vec<(String, i64)> = rows
        .iter()
        .map(|row| (row.try_get("", "kind").expect("a kind"), row.try_get("", "sequence").expect("a number")))
        .collect();
    let expected = [
        ("user.created", 1),
        ("user.status_changed", 2),
        ("user.status_changed", 3),
        ("user.verification.accepted", 4),
    ];
    assert_eq!(reported, expected.map(|(kind, sequence)| (kind.to_owned(), sequence)));
}

#[tokio::test]
async fn a_decision_may_be_about_just_what_was_looked_at() {
    let office = Office::open(&[("KIRA_REVIEW_FOUR_EYES", "true")]).await;
    let waiting = office.waiting().await;
    let path = format!("/v1/reviews/{}", waiting.review_id);
    let seen = office.ann.get(&path).await.header("etag").expect("a tag").to_owned();
    let approve_seen = async |reviewer: &Client, tag: &str| {
        let request =
            reviewer.request(Method::POST, &format!("{path}:approve")).header("if-match", tag).json(&json!({}));
        Answer::of(request.send().await.expect("an answer")).await
    };
    assert_eq!(approve_seen(&office.ann, &seen).await.status, 200);
    office.service.clock.advance(TimeDelta::seconds(1));
    let change = office.customer.request(Method::PUT, &format!("/v1/users/{}", waiting.user_id));
    let changed = change.json(&json!({"last_name": "Roe"})).send().await.expect("an answer");
    assert_eq!(changed.status(), 200);
    assert_eq!(code(&approve_seen(&office.bob, &seen).await), (412, "precondition_failed".to_owned()));
    let shown = office.bob.get(&path).await;
    assert_eq!(shown.json()["review"].get("proposal"), None, "it was about other data");
    let seen = shown.header("etag").expect("a tag").to_owned();
    assert_eq!(approve_seen(&office.bob, &seen).await.json()["proposal"]["reviewer"], "Bob");
    assert_eq!(office.status(&waiting).await, "REVIEW");
}

#[tokio::test]
async fn what_a_reviewer_has_begun_the_provider_ends_no_more() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    assert_eq!(act(&office.ann, &waiting.review_id, "claim", json!({})).await.status, 200);
    let store = &office.service.running.resources.store;
    let [user, attempt] = [&waiting.user_id, &waiting.review_id].map(|id| Uuid::parse_str(id).expect("a UUID"));
    let outcome = Outcome::verified(Assurance::Identity);
    let (env, client) = (office.service.clock.as_ref(), office.customer.id);
    let late = store.decide_verification(env, client, user, attempt, &outcome, ProviderAnswer::default());
    assert!(!late.await.expect("the database"));
    assert_eq!(office.status(&waiting).await, "REVIEW");
}

#[tokio::test]
async fn a_reviewers_words_are_for_the_client_and_not_for_every_receiver() {
    let office = Office::open(&[]).await;
    let waiting = office.waiting().await;
    act(&office.ann, &waiting.review_id, "reject", json!({"reason": "a planted reason"})).await;
    let user = office.customer.get(&format!("/v1/users/{}", waiting.user_id)).await.json();
    assert_eq!(user["status_reasons"][0]["message"], "a planted reason");
    let database = office.service.database.look().await;
    let events = Statement::from_string(database.get_database_backend(), format!("SELECT payload FROM {ALL_EVENTS}"));
    for row in database.query_all_raw(events).await.expect("the rows") {
        let payload: serde_json::Value = row.try_get("", "payload").expect("JSON");
        assert!(!payload.to_string().contains("planted"));
    }
}

#[tokio::test]
async fn what_was_found_stays_in_the_review_and_the_history_after_a_decision() {
    for (verb, body, added) in [
        ("approve", json!({}), None),
        ("approve", json!({"reason": "Seen in person"}), Some("approved_by_reviewer")),
        ("reject", json!({"reason": "No"}), Some("rejected_by_reviewer")),
    ] {
        let office = Office::open(&[]).await;
        let waiting = office.waiting().await;
        let expected: Vec<_> = added.into_iter().chain(["planned"]).collect();
        let codes = |reasons: &serde_json::Value| -> Vec<String> {
            let list = reasons.as_array().expect("a list").iter();
            list.map(|reason| reason["code"].as_str().expect("a code").to_owned()).collect()
        };
        let decided = act(&office.ann, &waiting.review_id, verb, body).await.json();
        assert_eq!(codes(&decided["reasons"]), expected);
        let shown = office.bob.get(&format!("/v1/reviews/{}", waiting.review_id)).await.json();
        assert_eq!(codes(&shown["review"]["reasons"]), expected);
        let history = office.customer.get(&format!("/v1/users/{}/verifications", waiting.user_id)).await.json();
        assert_eq!(codes(&history["data"][0]["reasons"]), expected);
        let user = office.customer.get(&format!("/v1/users/{}", waiting.user_id)).await.json();
        let status = user.get("status_reasons").map(&codes).unwrap_or_default();
        let explained = added.into_iter().filter(|_| verb == "reject").collect::<Vec<_>>();
        assert_eq!(status, explained, "of the user it is the decision that explains the status");
    }
}

#[tokio::test]
async fn a_reviewer_sees_the_whole_user() {
    for masked in ["false", "true"] {
        let office = Office::open(&[("KIRA_MASK_NUMBERS", masked)]).await;
        let waiting = office.waiting().await;
        let shown = office.ann.get(&format!("/v1/reviews/{}", waiting.review_id)).await.json();
        let user = &shown["user"];
        let ssn = if masked == "true" { "***-**-6789" } else { "123-45-6789" };
        assert_eq!(user["identifying_information"][0]["number"], ssn);
        let documents = user["identifying_information"][1]["documents"].as_array().expect("a list");
        assert!(documents.iter().all(|document| document["sha256"].is_string() && document.get("file").is_none()));
        assert!(!documents.is_empty());
        assert_eq!((&user["occupation"], &user["pep_status"]), (&user["metadata"]["occupation"], &json!(false)));
        let mut grpc = ReviewsServiceClient::new(office.ann.channel.clone());
        let request = office.ann.call(v1::GetReviewRequest { review_id: Some(waiting.review_id.clone()) });
        let user = grpc.get_review(request).await.expect("a review").into_inner().user.expect("a user");
        let record = user.record.expect("the record of an individual");
        assert_eq!(record.identifying_information[0].number.as_deref(), Some(ssn));
        // Its owner is shown what is documented, and no more.
        let own = office.customer.get(&format!("/v1/users/{}", waiting.user_id)).await.json();
        assert_eq!((own.get("identifying_information"), own.get("occupation")), (None, None));
    }
}

#[tokio::test]
async fn a_step_that_is_sent_again_under_its_key_is_taken_once() {
    let office = Office::open(&[("KIRA_REVIEW_FOUR_EYES", "true")]).await;
    let waiting = office.waiting().await;
    let path = format!("/v1/reviews/{}", waiting.review_id);
    let step = async |reviewer: &Client, verb: &str, key: &str, body: serde_json::Value| {
        let mut request = reviewer.request(Method::POST, &format!("{path}:{verb}")).header("idempotency-key", key);
        if verb == "approve" {
            request = request.json(&body);
        }
        Answer::of(request.send().await.expect("an answer")).await
    };
    let keys: Vec<String> = (0..3).map(|_| Uuid::new_v4().to_string()).collect();
    let body = json!({"reason": "Seen", "note": "by Ann"});
    let calls = [
        (&office.ann, "claim", &keys[0], json!({})),
        (&office.ann, "approve", &keys[1], body.clone()),
        (&office.bob, "approve", &keys[1], body.clone()),
    ];
    for (reviewer, verb, key, body) in calls {
        let first = step(reviewer, verb, key, body.clone()).await;
        assert_eq!((first.status, first.header("idempotent-replayed")), (200, None), "{verb} {}", first.text);
        let again = step(reviewer, verb, key, body).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")), "{verb} {}", again.text);
        assert_eq!(again.json(), first.json());
    }
    assert_eq!(office.status(&waiting).await, "VERIFIED");
    assert_eq!(office.service.database.count("review_steps").await, 3);
    let other = step(&office.ann, "approve", &keys[1], json!({"reason": "Another"})).await;
    assert_eq!(code(&other), (409, "idempotency_key_reused".to_owned()));
    // Without the key, or with another, it is another step.
    assert_eq!(code(&step(&office.ann, "approve", &keys[2], body).await), (409, "review_closed".to_owned()));
}
