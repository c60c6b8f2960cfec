//! A user that waits for a human.

use kira_users::domain::verification::{Assurance, Outcome, Reason};
use kira_users::store::ProviderAnswer;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::requests::with_files;
use crate::harness::service::{Answer, Client, Service};

/// A service, a customer and two reviewers.
pub(crate) struct Office {
    pub(crate) service: Service,
    pub(crate) customer: Client,
    pub(crate) ann: Client,
    pub(crate) bob: Client,
}

/// A user in review.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) user_id: String,
    pub(crate) review_id: String,
}

impl Office {
    pub(crate) async fn open(settings: &[(&str, &str)]) -> Self {
        let service = Service::start_with(settings).await;
        let customer = service.client().await;
        let (ann, bob) = (service.reviewer("Ann").await, service.reviewer("Bob").await);
        Self { service, customer, ann, bob }
    }

    /// A new user of the customer, whose verification ended in REVIEW.
    pub(crate) async fn waiting(&self) -> Waiting {
        let created = self.customer.create(&with_files()).await.json();
        let user_id = created["id"].as_str().expect("an id").to_owned();
        let id = Uuid::parse_str(&user_id).expect("a UUID");
        let store = &self.service.running.resources.store;
        let user = store.find_user(self.customer.id, id).await.expect("the database").expect("the user");
        let review_id = user.attempt_id.expect("the example triggers a verification");
        let outcome = Outcome::review(Assurance::Simulated, Reason::new("planned", "A test wants to see a human"));
        let env = self.service.clock.as_ref();
        let decided =
            store.decide_verification(env, self.customer.id, id, review_id, &outcome, ProviderAnswer::default());
        let decided = decided.await;
        assert!(decided.expect("the database"));
        Waiting { user_id, review_id: review_id.to_string() }
    }

    /// The user's status as its owner sees it.
    pub(crate) async fn status(&self, waiting: &Waiting) -> String {
        let user = self.customer.get(&format!("/v1/users/{}", waiting.user_id)).await.json();
        user["status"].as_str().expect("a status").to_owned()
    }

    /// How many reviews wait, as a reviewer sees it.
    pub(crate) async fn total(&self) -> u64 {
        self.ann.get("/v1/reviews").await.json()["pagination"]["total"].as_u64().expect("a number")
    }
}

/// `POST /v1/reviews/{id}:{verb}`.
pub(crate) async fn act(reviewer: &Client, review_id: &str, verb: &str, body: Value) -> Answer {
    let mut request = reviewer.request(Method::POST, &format!("/v1/reviews/{review_id}:{verb}"));
    if !matches!(verb, "claim" | "release") {
        request = request.json(&body);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

/// Approves without a word.
pub(crate) async fn approve(reviewer: &Client, waiting: &Waiting) -> Answer {
    act(reviewer, &waiting.review_id, "approve", json!({})).await
}

/// The machine code of an error.
pub(crate) fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}
