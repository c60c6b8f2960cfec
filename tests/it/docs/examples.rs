//! The examples of the document are recorded calls: `proto/openapi/examples.json` is what the service answers.
//! `UPDATE_DOCS=1 cargo test --test it docs::` writes them; `UPDATE_DOCS=1 cargo test -p kira-codegen --test openapi` takes them
//! into `docs/openapi.json`.

use serde_json::{Value, json};

use crate::docs::elements::{batch, elements};
use crate::docs::recorder::Recorder;
use crate::harness::requests::{EXAMPLES, example_text};
use crate::harness::service::{Client, Service};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/openapi/examples.json");

/// The specification's examples, in the order of [`EXAMPLES`].
const NAMES: [[&str; 2]; 4] = [
    ["individual_usa", "An individual of the USA: verification starts"],
    ["individual_mexico", "An individual of Mexico: a tax ID and the expected payments are missing"],
    ["business_usa", "A business of the USA: the proof of address is missing"],
    ["business_mexico", "A business of Mexico: verification starts"],
];

pub(crate) const MINIMAL: &str =
    r#"{"type":"individual","email":"ada@example.com","first_name":"Ada","last_name":"Lovelace"}"#;

pub(crate) fn key(number: usize) -> String {
    format!("550e8400-e29b-41d4-a716-44665544{number:04}")
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}

/// An individual with everything that verification needs, and this last name.
fn complete(last_name: &str) -> String {
    example_text(EXAMPLES[0]).replace("\"Doe\"", &json!(last_name).to_string())
}

#[tokio::test]
async fn the_examples_of_the_document_are_what_the_service_answers() {
    let service = Service::start_with(&[("KIRA_SANDBOX_DELAY", "0s")]).await;
    let (client, reviewer) = (service.client().await, service.reviewer("Ann").await);
    let mut recorder = Recorder::default();
    let r = &mut recorder;
    r.hide(&client.password, "your-password");
    r.hide(&client.id.to_string(), "6f0c2a52-8d0b-4c53-9a0e-0b1d2f3a4c5d");

    let credentials = json!({"client_id": client.id, "password": client.password}).to_string();
    let issued = client.authenticate(&client.password).await;
    r.hide(text(&issued.json(), "/data/access_token"), "eyJhbGciOiJFZERTQSJ9.…");
    r.note(["CreateToken", "token", "A token for an hour"], &[], Some(&credentials), &issued);

    let keys = client.get("/.well-known/jwks.json").await;
    r.hide(text(&keys.json(), "/keys/0/kid"), "2026-11-23");
    r.hide(text(&keys.json(), "/keys/0/x"), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    r.call(&client, ["GetTokenKeys", "keys", "The public keys"], "GET /.well-known/jwks.json", &[], None).await;

    let create = "POST /v1/users";
    let first = [("idempotency-key", &*key(0))];
    let call = ["CreateUser", "minimal", "As little as makes a user"];
    let minimal = r.call(&client, call, create, &first, Some(MINIMAL)).await;
    let mut business = Value::Null;
    for (number, ([name, summary], request)) in NAMES.into_iter().zip(EXAMPLES).enumerate() {
        let key = key(number + 1);
        let body = example_text(request);
        business =
            r.call(&client, ["CreateUser", name, summary], create, &[("idempotency-key", &key)], Some(&body)).await;
    }
    let call = ["CreateUser", "same_external_id", "Another user has the same external id: a warning"];
    let body = MINIMAL.replace("ada@", "eva@").replace('}', r#","external_id":"mex-business-001"}"#);
    r.call(&client, call, create, &[("idempotency-key", &*key(12))], Some(&body)).await;
    let call = ["CreateUser", "replay", "The same request again"];
    r.call(&client, call, create, &first, Some(MINIMAL)).await;

    let found = ("email", "ada@example.com");
    r.call(&client, ["ListUsers", "email", "The users with an e-mail address"], "GET /v1/users", &[found], None).await;

    let id = text(&minimal, "/id").to_owned();
    let user = [("user_id", id.as_str())];
    r.call(&client, ["GetUser", "user", "A user without a verification"], "GET /v1/users/{user_id}", &user, None).await;
    let update = [("user_id", id.as_str()), ("if-match", "\"1\""), ("idempotency-key", &key(10))];
    let body = r#"{"phone":"+12025551234","address_country":"USA","metadata":{"tier":"gold"}}"#;
    let call = ["UpdateUser", "some_fields", "Some fields, if no one else has changed the user"];
    r.call(&client, call, "PUT /v1/users/{user_id}", &update, Some(body)).await;
    let call = ["ValidateUser", "minimal", "What is missing"];
    r.call(&client, call, "POST /v1/users:validate", &[], Some(MINIMAL)).await;

    // A verification that ends badly, and another.
    let rejected = client.create(&serde_json::from_str(&complete("Doe REJECT")).expect("JSON")).await.json();
    service.running.worker.drain().await.expect("the database answers");
    let (id, again) = (text(&rejected, "/id").to_owned(), key(11));
    let verify = [("user_id", id.as_str()), ("idempotency-key", again.as_str())];
    let route = "POST /v1/users/{user_id}/verifications";
    let call = ["CreateVerification", "api", "Another attempt with what is stored"];
    r.call(&client, call, route, &verify, Some(r#"{"type":"api"}"#)).await;
    let call = ["ListVerifications", "attempts", "Two attempts"];
    r.call(&client, call, "GET /v1/users/{user_id}/verifications", &verify[..1], None).await;

    let call = ["ListEvents", "two", "The first two events"];
    r.call(&client, call, "GET /v1/events", &[("limit", "2")], None).await;
    let first = ("cursor", "00000000-0000-0000-0000-000000000000");
    let call = ["WatchEvents", "lines", "From the first event on, as lines of JSON"];
    r.stream(&client, call, "/v1/events:watch", [first, ("accept", "application/x-ndjson")], "\n").await;
    let call = ["WatchEvents", "events", "From the first event on, as server-sent events"];
    r.stream(&client, call, "/v1/events:watch", [first, ("accept", "text/event-stream")], "\n\n").await;

    reviews(r, &service, &client, &reviewer).await;
    elements(r, &client, &business).await;
    batch(r, &client).await;
    webhooks(r, &client).await;

    let current = recorder.into_file();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(FILE, &current).expect("the examples can be written");
        return;
    }
    let committed = std::fs::read_to_string(FILE).expect("the examples");
    for (committed, current) in committed.lines().zip(current.lines()) {
        assert_eq!(committed, current, "the examples are stale: UPDATE_DOCS=1 cargo test --test it docs::");
    }
    assert_eq!(committed.len(), current.len());
}

async fn reviews(r: &mut Recorder, service: &Service, client: &Client, reviewer: &Client) {
    for number in 0..2 {
        let body = complete("Doe REVIEW").replace("your-internal-id-123", &format!("review-{number}"));
        client.create(&serde_json::from_str(&body).expect("JSON")).await;
    }
    service.running.worker.drain().await.expect("the database answers");
    let waiting = reviewer.get("/v1/reviews").await.json();
    let (first, second) = (text(&waiting, "/data/0/id").to_owned(), text(&waiting, "/data/1/id").to_owned());
    let (first, second) = ([("review_id", first.as_str())], [("review_id", second.as_str())]);
    let call = ["ListReviews", "waiting", "The oldest review"];
    r.call(reviewer, call, "GET /v1/reviews", &[("limit", "1")], None).await;
    let call = ["ClaimReview", "claim", "Claimed for an hour"];
    r.call(reviewer, call, "POST /v1/reviews/{review_id}:claim", &first, None).await;
    let call = ["GetReview", "review", "A review and its user"];
    r.call(reviewer, call, "GET /v1/reviews/{review_id}", &first, None).await;
    let call = ["ReleaseReview", "release", "Free for others"];
    r.call(reviewer, call, "POST /v1/reviews/{review_id}:release", &first, None).await;
    let call = ["ApproveReview", "approve", "The user is verified"];
    let body = r#"{"note":"Compared with the photo"}"#;
    r.call(reviewer, call, "POST /v1/reviews/{review_id}:approve", &first, Some(body)).await;
    let call = ["RejectReview", "reject", "The user is rejected, for a reason that the client sees"];
    let body = r#"{"reason":"The document has expired"}"#;
    r.call(reviewer, call, "POST /v1/reviews/{review_id}:reject", &second, Some(body)).await;
}

async fn webhooks(r: &mut Recorder, client: &Client) {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body =
        json!({"client_uuid": client.id, "webhook_url": "https://example.com/kira", "secret": secret}).to_string();
    let call = ["RegisterWebhook", "register", "With a secret of the caller's"];
    r.call(client, call, "POST /webhooks/register", &[], Some(&body)).await;
    let body = json!({"url": "https://example.com/webhooks", "secret": secret, "events": ["user.verification.accepted", "user.verification.failed"]});
    let call = ["CreateWebhookEndpoint", "verifications", "The outcomes of verifications"];
    let created = r.call(client, call, "POST /v1/webhooks/endpoints", &[], Some(&body.to_string())).await;
    let id = text(&created, "/endpoint/id").to_owned();
    let endpoint = [("endpoint_id", id.as_str())];
    let one = "/v1/webhooks/endpoints/{endpoint_id}";
    r.call(client, ["ListWebhookEndpoints", "all", "All endpoints"], "GET /v1/webhooks/endpoints", &[], None).await;
    r.call(client, ["GetWebhookEndpoint", "one", "One endpoint"], &format!("GET {one}"), &endpoint, None).await;
    let call = ["UpdateWebhookEndpoint", "ordered", "All events, one user's in order"];
    let body = r#"{"events":[],"ordered":true}"#;
    r.call(client, call, &format!("PATCH {one}"), &endpoint, Some(body)).await;
    let call = ["RotateWebhookSecret", "rotate", "Both secrets sign for an hour"];
    let body = r#"{"secret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD","overlap_seconds":3600}"#;
    r.call(client, call, &format!("POST {one}:rotateSecret"), &endpoint, Some(body)).await;
    let sent =
        r.call(client, ["SendTestWebhook", "test", "A test"], &format!("POST {one}:test"), &endpoint, None).await;
    let list = [("endpoint_id", id.as_str()), ("limit", "1")];
    let call = ["ListWebhookDeliveries", "newest", "The newest delivery to an endpoint"];
    r.call(client, call, "GET /v1/webhooks/deliveries", &list, None).await;
    let delivery_id = text(&sent, "/delivery_id").to_owned();
    let delivery = [("delivery_id", delivery_id.as_str())];
    let call = ["GetWebhookDelivery", "pending", "One that is pending"];
    r.call(client, call, "GET /v1/webhooks/deliveries/{delivery_id}", &delivery, None).await;
    let call = ["ReplayWebhookDelivery", "pending", "One that is pending stays as it is"];
    r.call(client, call, "POST /v1/webhooks/deliveries/{delivery_id}:replay", &delivery, None).await;
    let call = ["ReplayWebhookDeliveries", "since", "All of a range of time"];
    let body = r#"{"since":"2026-11-22T00:00:00Z","delivered_too":true}"#;
    let replay = r.call(client, call, &format!("POST {one}:replay"), &endpoint, Some(body)).await;
    let replay = [("replay_id", text(&replay, "/id"))];
    let call = ["ListWebhookReplays", "newest", "The newest replay of an endpoint"];
    r.call(client, call, "GET /v1/webhooks/replays", &list, None).await;
    let call = ["GetWebhookReplay", "running", "How far a replay is"];
    r.call(client, call, "GET /v1/webhooks/replays/{replay_id}", &replay, None).await;
    let call = ["CancelWebhookReplay", "cancel", "No more deliveries of a replay"];
    r.call(client, call, "POST /v1/webhooks/replays/{replay_id}:cancel", &replay, None).await;
    r.call(client, ["DeleteWebhookEndpoint", "delete", "No more webhooks"], &format!("DELETE {one}"), &endpoint, None)
        .await;
}
