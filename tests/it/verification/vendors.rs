//! An outside provider: asked by signed requests, answering at once, by signed callbacks, or when it is asked again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kira_users::contract::v1;
use kira_users::contract::v1::verification_callbacks_service_client::VerificationCallbacksServiceClient;
use kira_users::env::Env as _;
use kira_users::signing;
use kira_users::verification::vendor::{Vendor, VendorOptions};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::service::Answer;
use crate::verification::fake_vendor::{FakeVendor, secret};
use crate::verification::support::World;

struct Setting {
    vendor: Arc<FakeVendor>,
    world: World,
}

impl Setting {
    async fn new() -> Self {
        let vendor = FakeVendor::start().await;
        let settings = vendor.settings();
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Self { world: World::with(&settings).await, vendor }
    }

    /// A user for whom the vendor answered `pending`: the ids of the user and of the attempt.
    async fn pending(&self) -> (String, String) {
        self.vendor.will_answer(202, &json!({"status": "pending", "reference": "case/7", "poll_after": 30}));
        let user = self.world.individual("Doe").await;
        assert_eq!(self.world.drain().await, 1);
        (user.clone(), self.attempt(&user).await["id"].as_str().expect("an id").to_owned())
    }

    async fn attempt(&self, user: &str) -> Value {
        let list = self.world.client.get(&format!("/v1/users/{user}/verifications")).await.json();
        list["data"][0].clone()
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.service.clock.now()
    }

    /// A callback that was sent at `at`.
    async fn call_back(&self, payload: &Value, at: DateTime<Utc>) -> Answer {
        let body = payload.to_string();
        self.call_back_signed(&body, at, &secret().sign("message-1", at, body.as_bytes())).await
    }

    async fn call_back_signed(&self, body: &str, at: DateTime<Utc>, signature: &str) -> Answer {
        let url = format!("{}/v1/verification-callbacks", self.world.service.url());
        let request = self.world.service.http.request(Method::POST, url);
        let request = request
            .header("content-type", "application/json")
            .header(signing::ID, "message-1")
            .header(signing::TIMESTAMP, at.timestamp())
            .header(signing::SIGNATURE, signature);
        Answer::of(request.body(body.to_owned()).send().await.expect("an answer")).await
    }
}

#[tokio::test]
async fn the_vendor_gets_the_user_and_the_files_in_a_signed_request() {
    let setting = Setting::new().await;
    setting.vendor.will_answer(200, &json!({"status": "approved", "reference": "case/7"}));
    let user = setting.world.individual("Doe").await;
    assert_eq!(setting.world.drain().await, 1);
    let [request] = &setting.vendor.arrived()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/verify"));
    assert!(request.is_signed(setting.now()));
    let sent = request.json();
    assert_eq!((&sent["type"], &sent["user"]["last_name"]), (&json!("individual"), &json!("Doe")));
    assert_eq!(sent["user"]["identifying_information"][0]["number"], "123-45-6789");
    assert_eq!(sent["files"].as_array().map(Vec::len), Some(3));
    assert_eq!(sent["attempt_id"], setting.attempt(&user).await["id"]);
    assert_eq!(setting.world.status(&user).await, "VERIFIED");
    let attempt = setting.attempt(&user).await;
    assert_eq!((&attempt["provider"], &attempt["assurance"]), (&json!("http"), &json!("identity")));
}

#[tokio::test]
async fn a_signed_callback_decides() {
    let setting = Setting::new().await;
    let (user, attempt) = setting.pending().await;
    assert_eq!(setting.world.status(&user).await, "VERIFYING");
    let reasons =
        json!([{"code": "document_expired", "path": "identifying_information.1", "message": "John's licence"}]);
    let payload = json!({"attempt_id": attempt, "status": "rejected", "reasons": reasons});
    let answer = setting.call_back(&payload, setting.now()).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"applied": true})));
    let shown = setting.world.user(&user).await;
    assert_eq!(shown["status"], "REJECTED");
    let expected =
        json!([{"code": "document_expired", "message": "A document has expired", "path": "identifying_information.1"}]);
    assert_eq!(shown["status_reasons"], expected, "in our words, not in the vendor's");
}

#[tokio::test]
async fn the_same_callback_again_and_a_later_one_change_nothing() {
    let setting = Setting::new().await;
    let (user, attempt) = setting.pending().await;
    let approved = json!({"attempt_id": attempt, "status": "approved"});
    assert_eq!(setting.call_back(&approved, setting.now()).await.json()["applied"], true);
    let again = setting.call_back(&approved, setting.now()).await;
    assert_eq!((again.status, again.json()), (200, json!({"applied": false})));
    let rejected = json!({"attempt_id": attempt, "status": "rejected"});
    assert_eq!(setting.call_back(&rejected, setting.now()).await.json()["applied"], false);
    assert_eq!(setting.world.status(&user).await, "VERIFIED");
    let review = Setting::new().await;
    let (_, attempt) = review.pending().await;
    let payload = json!({"attempt_id": attempt, "status": "review"});
    assert_eq!(review.call_back(&payload, review.now()).await.json()["applied"], true);
    assert_eq!(review.call_back(&payload, review.now()).await.json()["applied"], false);
}

#[tokio::test]
async fn a_callback_that_is_not_signed_or_too_old_is_not_believed() {
    let setting = Setting::new().await;
    let (user, attempt) = setting.pending().await;
    let payload = json!({"attempt_id": attempt, "status": "approved"});
    let now = setting.now();
    let stale = setting.call_back(&payload, now - TimeDelta::minutes(6)).await;
    let forged = setting.call_back_signed(&payload.to_string(), now, "v1,AAAA").await;
    let good = secret().sign("message-1", now, payload.to_string().as_bytes());
    let altered = payload.to_string().replace("approved", "rejected");
    let altered = setting.call_back_signed(&altered, now, &good).await;
    for answer in [stale, forged, altered] {
        assert_eq!((answer.status, answer.json()["code"].clone()), (401, json!("unauthorized")));
    }
    assert_eq!(setting.world.status(&user).await, "VERIFYING");
}

#[tokio::test]
async fn a_callback_about_nothing_known_is_told_so() {
    let setting = Setting::new().await;
    let unknown = json!({"attempt_id": Uuid::nil(), "status": "approved"});
    assert_eq!(setting.call_back(&unknown, setting.now()).await.status, 404);
    let senseless = setting.call_back(&json!({"status": "approved"}), setting.now()).await;
    assert_eq!(senseless.status, 400);
    let without_a_vendor = World::new().await;
    let url = format!("{}/v1/verification-callbacks", without_a_vendor.service.url());
    let request = without_a_vendor.service.http.post(url).json(&unknown);
    assert_eq!(request.send().await.expect("an answer").status(), 404);
}

#[tokio::test]
async fn a_vendor_that_does_not_call_back_is_asked_again() {
    let setting = Setting::new().await;
    let (user, _) = setting.pending().await;
    assert_eq!(setting.world.drain().await, 0, "not before the time that it named");
    setting.world.advance(TimeDelta::seconds(30));
    setting.vendor.will_answer(200, &json!({"status": "approved"}));
    assert_eq!(setting.world.drain().await, 1);
    let poll = setting.vendor.arrived().pop().expect("a request");
    assert_eq!((poll.method.as_str(), poll.path.as_str()), ("GET", "/verify/case%2F7"));
    assert!(poll.is_signed(setting.now()) && poll.body.is_empty());
    assert_eq!(setting.world.status(&user).await, "VERIFIED");
}

#[tokio::test]
async fn a_vendor_that_is_lost_is_tried_again_and_creates_go_on() {
    let setting = Setting::new().await;
    setting.vendor.will_answer(503, &json!({}));
    setting.vendor.will_answer(200, &json!({"status": "approved"}));
    let user = setting.world.individual("Doe").await;
    for _ in 0..2 {
        assert_eq!(setting.world.drain().await, 1);
        setting.world.advance(TimeDelta::minutes(1));
    }
    assert_eq!(setting.world.status(&user).await, "VERIFIED");
}

#[tokio::test]
async fn a_case_that_the_vendor_refuses_goes_to_a_human() {
    let setting = Setting::new().await;
    setting.vendor.will_answer(422, &json!({"error": "country not supported"}));
    let user = setting.world.individual("Doe").await;
    assert_eq!(setting.world.drain().await, 1);
    assert_eq!(setting.world.status(&user).await, "REVIEW");
}

#[tokio::test]
async fn what_the_vendor_said_is_kept_sealed() {
    let setting = Setting::new().await;
    let (_, attempt) = setting.pending().await;
    let payload = json!({"attempt_id": attempt, "status": "approved", "planted": "a planted secret"});
    assert_eq!(setting.call_back(&payload, setting.now()).await.status, 200);
    let kept = "SELECT id FROM verification_attempts WHERE sealed_answer IS NOT NULL AND reasons IS NOT NULL";
    let look = setting.world.service.database.look().await;
    let rows = sea_orm::ConnectionTrait::query_all_raw(
        &look,
        sea_orm::Statement::from_string(
            sea_orm::ConnectionTrait::get_database_backend(&look),
            kept.replace("SELECT id", "SELECT sealed_answer"),
        ),
    );
    let rows = rows.await.expect("a query that is right");
    let sealed: Vec<u8> = rows[0].try_get_by_index(0).expect("bytes");
    assert!(sealed.len() > payload.to_string().len());
    assert!(!sealed.windows(7).any(|window| window == b"planted"));
}

#[tokio::test]
async fn what_the_vendor_calls_an_attempt_is_kept_sealed() {
    let setting = Setting::new().await;
    setting.pending().await;
    let look = setting.world.service.database.look().await;
    let rows = sea_orm::ConnectionTrait::query_all_raw(
        &look,
        sea_orm::Statement::from_string(
            sea_orm::ConnectionTrait::get_database_backend(&look),
            "SELECT sealed_reference FROM verification_attempts",
        ),
    );
    let sealed: Vec<u8> = rows.await.expect("a query that is right")[0].try_get_by_index(0).expect("bytes");
    assert!(!sealed.windows(4).any(|window| window == b"case"), "the reference is case/7");
}

#[tokio::test]
async fn a_callback_may_come_over_grpc() {
    let setting = Setting::new().await;
    let (user, attempt) = setting.pending().await;
    let payload = json!({"attempt_id": attempt, "status": "approved"}).to_string().into_bytes();
    let now = setting.now();
    let message = v1::ReceiveVerificationResultRequest {
        webhook_id: Some("message-1".to_owned()),
        webhook_timestamp: Some(now.timestamp().to_string()),
        webhook_signature: Some(secret().sign("message-1", now, &payload)),
        payload: payload.into(),
    };
    let mut grpc = VerificationCallbacksServiceClient::new(setting.world.client.channel.clone());
    assert!(grpc.receive_verification_result(message).await.expect("an answer").into_inner().applied);
    assert_eq!(setting.world.status(&user).await, "VERIFIED");
}

#[tokio::test]
async fn an_answer_that_cannot_be_parsed_counts_for_its_case_only_and_ends_in_a_review() {
    let setting = Setting::new().await;
    let user = setting.world.individual("Doe").await;
    let too_long = json!({"status": "approved", "filler": "x".repeat(1024 * 1024)});
    let unclear = [json!("no report"), json!({}), json!({"status": "soon"}), json!([]), too_long.clone(), too_long];
    for answer in &unclear {
        setting.vendor.will_answer(200, answer);
    }
    for _ in 0..5 {
        assert_eq!(setting.world.drain().await, 1);
        assert_eq!(setting.world.service.running.worker.health().circuit, "closed", "the others go on");
        setting.world.advance(TimeDelta::minutes(1));
    }
    let shown = setting.world.user(&user).await;
    assert_eq!(
        (&shown["status"], &shown["status_reasons"][0]["code"]),
        (&json!("REVIEW"), &json!("provider_not_understood"))
    );
    assert_eq!(setting.world.drain().await, 0);
}

#[tokio::test]
async fn a_case_that_the_vendor_has_forgotten_is_sent_again() {
    for status in [404, 410] {
        let setting = Setting::new().await;
        let (user, _) = setting.pending().await;
        setting.world.advance(TimeDelta::seconds(30));
        setting.vendor.will_answer(status, &json!({}));
        setting.vendor.will_answer(200, &json!({"status": "approved"}));
        assert_eq!(setting.world.drain().await, 1);
        let asked = setting.vendor.arrived();
        let methods: Vec<_> = asked.iter().map(|request| request.method.as_str()).collect();
        assert_eq!(methods, ["POST", "GET", "POST"]);
        assert_eq!(asked[0].json(), asked[2].json());
        assert_eq!(setting.world.status(&user).await, "VERIFIED");
    }
}

#[tokio::test]
async fn an_answer_about_another_attempt_is_no_verdict() {
    let setting = Setting::new().await;
    setting.vendor.will_answer(200, &json!({"status": "approved", "attempt_id": Uuid::nil()}));
    let user = setting.world.individual("Doe").await;
    assert_eq!(setting.world.drain().await, 1);
    assert_eq!(setting.world.status(&user).await, "VERIFYING");
    setting.world.advance(TimeDelta::minutes(1));
    let attempt = setting.attempt(&user).await["id"].clone();
    setting.vendor.will_answer(200, &json!({"status": "approved", "attempt_id": attempt}));
    assert_eq!(setting.world.drain().await, 1);
    assert_eq!(setting.world.status(&user).await, "VERIFIED");
}

#[tokio::test]
async fn files_that_are_too_large_together_are_not_sent() {
    let setting = Setting::new().await;
    let options = VendorOptions {
        url: format!("http://{}/verify", setting.vendor.address).parse().expect("a URL"),
        secret: secret(),
        timeout: Duration::from_secs(30),
        max_file_bytes: 1,
    };
    let worker = setting.world.worker_of(Arc::new(Vendor::new(options).expect("a client")));
    let user = setting.world.individual("Doe").await;
    assert_eq!(worker.drain().await.expect("the database answers"), 1);
    let shown = setting.world.user(&user).await;
    assert_eq!((&shown["status"], &shown["status_reasons"][0]["code"]), (&json!("REVIEW"), &json!("files_too_large")));
    assert!(setting.vendor.arrived().is_empty());
}
