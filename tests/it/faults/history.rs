//! What a caller was answered, and whether it holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::program::{Program, wait_until_async};
use crate::harness::receiver::{Arrived, Receiver};
use crate::harness::service::{Answer, http_client};

/// A user as far as the caller knows.
#[derive(Debug)]
struct Known {
    /// None: no create was acknowledged yet.
    id: Option<String>,
    body: Value,
    /// What `occupation` may be: what was acknowledged last, and what failed since, which may have been done.
    occupations: Vec<Value>,
}

/// One caller with all that it was answered.
pub(crate) struct History {
    client_id: String,
    base: String,
    token: String,
    api_key: String,
    http: reqwest::Client,
    users: BTreeMap<Uuid, Known>,
    /// The endpoints that are there for sure, and how each was said to be.
    endpoints: HashMap<String, Value>,
}

impl History {
    pub(crate) async fn new(program: &Program, client: &Value) -> Self {
        Self {
            client_id: client["client_id"].as_str().expect("an id").to_owned(),
            base: program.rest(),
            token: program.token(client).await,
            api_key: client["api_key"].as_str().expect("an API key").to_owned(),
            http: http_client(),
            users: BTreeMap::new(),
            endpoints: HashMap::new(),
        }
    }

    /// The client.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The program has another address now.
    pub(crate) fn moved_to(&mut self, program: &Program) {
        self.base = program.rest();
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.base)).bearer_auth(&self.token);
        request.header("x-api-key", &self.api_key)
    }

    /// The answer; a failure must be one that asks for a retry.
    async fn answer(&self, request: RequestBuilder) -> Option<Answer> {
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        if (200..300).contains(&answer.status) {
            return Some(answer);
        }
        assert!(matches!(answer.status, 503 | 504), "{}: {}", answer.status, answer.text);
        None
    }

    /// One read, which may fail, but only in a way that asks for a retry.
    pub(crate) async fn look_at_any(&self) -> bool {
        let Some(id) = self.users.values().find_map(|known| known.id.as_ref()) else { return true };
        self.answer(self.request(Method::GET, &format!("/v1/users/{id}"))).await.is_some()
    }

    /// Creates a user; whether that was acknowledged. The user can be read at once then.
    pub(crate) async fn create(&mut self, body: &Value) -> bool {
        let key = Uuid::new_v4();
        let occupations = vec![body["occupation"].clone()];
        self.users.insert(key, Known { id: None, body: body.clone(), occupations });
        self.create_again(key).await
    }

    async fn create_again(&mut self, key: Uuid) -> bool {
        let request = self.request(Method::POST, "/v1/users").header("idempotency-key", key.to_string());
        let Some(answer) = self.answer(request.json(&self.users[&key].body)).await else { return false };
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let known = self.users.get_mut(&key).expect("it was noted");
        assert_eq!(*known.id.get_or_insert_with(|| id.clone()), id, "a key makes one user");
        self.check_user(key).await;
        true
    }

    /// Changes the user that was made last; whether that was acknowledged. The change can be read at once then.
    pub(crate) async fn update(&mut self) -> bool {
        let newest = self.users.iter().filter(|(_, known)| known.id.is_some()).map(|(key, _)| *key).next_back();
        let Some(key) = newest else { return false };
        let occupation = json!(format!("Engineer {}", Uuid::new_v4()));
        let path = format!("/v1/users/{}", self.users[&key].id.as_ref().expect("it was filtered"));
        let request = self.request(Method::PUT, &path).json(&json!({"occupation": occupation}));
        let is_acknowledged = self.answer(request).await.is_some();
        let known = self.users.get_mut(&key).expect("it is there");
        if is_acknowledged {
            known.occupations.clear();
        }
        known.occupations.push(occupation);
        self.check_user(key).await;
        is_acknowledged
    }

    async fn check_user(&self, key: Uuid) {
        let known = &self.users[&key];
        let Some(id) = &known.id else { return };
        let path = format!("/v1/users/{id}");
        // A disk that fails may fail this as well.
        let look = || async {
            let answer = Answer::of(self.request(Method::GET, &path).send().await.expect("an answer")).await;
            (!matches!(answer.status, 503 | 504)).then_some(answer)
        };
        let answer = wait_until_async(look, "an answer").await;
        assert_eq!(answer.status, 200, "{id} was acknowledged: {}", answer.text);
        let occupation = answer.json()["metadata"]["occupation"].clone();
        assert!(known.occupations.contains(&occupation), "{occupation} was not sent last: {:?}", known.occupations);
    }

    /// Registers an endpoint; whether that was acknowledged.
    pub(crate) async fn register(&mut self, url: &str) -> bool {
        let body = json!({"url": url, "secret": "a secret of the client's own making"});
        let request = self.request(Method::POST, "/v1/webhooks/endpoints").json(&body);
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        if answer.status != 201 {
            assert!(matches!(answer.status, 503 | 504), "{}: {}", answer.status, answer.text);
            return false;
        }
        let id = answer.json()["endpoint"]["id"].as_str().expect("an id").to_owned();
        self.endpoints.insert(id, json!(url));
        self.check_endpoints().await;
        true
    }

    async fn listed_endpoints(&self) -> HashMap<String, Value> {
        let look = || async { self.answer(self.request(Method::GET, "/v1/webhooks/endpoints")).await };
        let listed = wait_until_async(look, "the endpoints").await.json();
        let listed = listed["data"].as_array().expect("a list").iter();
        listed.map(|endpoint| (endpoint["id"].as_str().expect("an id").to_owned(), endpoint["url"].clone())).collect()
    }

    async fn check_endpoints(&self) {
        let listed = self.listed_endpoints().await;
        for (id, url) in &self.endpoints {
            assert_eq!(listed.get(id), Some(url), "{id} was acknowledged");
        }
        let urls: Vec<_> = listed.values().collect();
        assert_eq!(urls.iter().collect::<HashSet<_>>().len(), urls.len(), "each URL once");
    }

    /// Removes the endpoints but the one of this URL, acknowledged or not: the number per client is limited.
    pub(crate) async fn remove_endpoints_but(&mut self, url: &str) {
        for (id, _) in self.listed_endpoints().await.into_iter().filter(|(_, listed)| listed != url) {
            let path = format!("/v1/webhooks/endpoints/{id}");
            let remove = || async {
                let answer = Answer::of(self.request(Method::DELETE, &path).send().await.expect("an answer")).await;
                matches!(answer.status, 200 | 204 | 404).then_some(())
            };
            wait_until_async(remove, "the end of an endpoint").await;
        }
        let left = self.listed_endpoints().await;
        assert!(left.values().all(|listed| listed == url), "what was removed is gone");
        self.endpoints.retain(|_, known| known == url);
    }

    /// The disk is well again: whatever failed succeeds when it is tried again, and makes nothing twice.
    pub(crate) async fn settle(&mut self) {
        let keys: Vec<Uuid> = self.users.keys().copied().collect();
        for key in keys.into_iter().filter(|key| self.users[key].id.is_none()).collect::<Vec<_>>() {
            self.retried(key).await;
        }
    }

    async fn retried(&mut self, key: Uuid) {
        for _ in 0..500 {
            if self.create_again(key).await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("a healthy disk takes no user");
    }

    /// Everything that was acknowledged is stored, and each key still returns the same user.
    pub(crate) async fn check(&mut self) {
        let keys: Vec<Uuid> = self.users.keys().copied().collect();
        for key in keys {
            self.check_user(key).await;
            self.retried(key).await;
        }
        self.check_endpoints().await;
    }

    /// How many users there are, once everything is settled.
    pub(crate) fn count(&self) -> i64 {
        i64::try_from(self.users.len()).expect("few")
    }

    /// Waits until every user that a verification was started for has its outcome.
    pub(crate) async fn check_verified(&self) {
        for known in self.users.values().filter(|known| known.body.get("identifying_information").is_some()) {
            let path = format!("/v1/users/{}", known.id.as_ref().expect("it is settled"));
            let look = || async {
                let answer = self.answer(self.request(Method::GET, &path)).await?;
                (answer.json()["status"] == "VERIFIED").then_some(())
            };
            wait_until_async(look, "the outcome of a verification").await;
        }
    }

    /// Waits until every event has arrived; each user was created once.
    pub(crate) async fn check_events(&self, receiver: &Receiver) {
        let mut events = BTreeSet::new();
        let mut created = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/v1/events?limit=500{after}");
            let page =
                wait_until_async(|| async { self.answer(self.request(Method::GET, &path)).await }, "events").await;
            let page = page.json();
            for event in page["data"].as_array().expect("a list") {
                let data = &event["data"];
                events.insert(data["event_id"].as_str().expect("an id").to_owned());
                if event["event"] == "user.created" {
                    created.push(data["user_id"].as_str().expect("an id").to_owned());
                }
            }
            if page["has_more"] != true {
                break;
            }
            after = format!("&cursor={}", page["next_cursor"].as_str().expect("a cursor"));
        }
        let users: BTreeSet<_> = self.users.values().filter_map(|known| known.id.clone()).collect();
        assert_eq!(created.len(), users.len(), "each create has one event");
        assert_eq!(created.into_iter().collect::<BTreeSet<_>>(), users);
        let arrived = || receiver.arrived().iter().map(Arrived::event_id).collect::<BTreeSet<_>>();
        wait_until_async(|| async { arrived().is_superset(&events).then_some(()) }, "every event").await;
    }
}
