//! A business, and calls about its elements.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::requests::{EXAMPLES, example};
use crate::harness::service::{Answer, Client, Service};
use crate::updates::support::{created, send, shown};

/// A service, a client, and a Mexican business of it with two associated persons.
pub(crate) struct Scene {
    pub(crate) service: Service,
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) before: Value,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let service = Service::start().await;
        let client = service.client().await;
        let id = created(&client, &example(EXAMPLES[3])).await;
        let before = shown(&client, &id).await;
        Self { service, client, id, before }
    }

    /// The path of something of the user.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/users/{}/{rest}", self.id)
    }

    /// The path of the person at `index`.
    pub(crate) fn person(&self, index: usize) -> String {
        self.path(&format!("associated_persons/{}", text(&self.before["associated_persons"][index]["id"])))
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        send(&self.client, method, path, &[], &body).await
    }

    pub(crate) async fn send_with(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        send(&self.client, method, path, headers, &body).await
    }

    pub(crate) async fn delete(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        delete(&self.client, path, headers).await
    }

    pub(crate) async fn shown(&self) -> Value {
        shown(&self.client, &self.id).await
    }

    pub(crate) async fn persons(&self) -> Value {
        self.shown().await["associated_persons"].clone()
    }
}

/// `DELETE` without a body.
pub(crate) async fn delete(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(Method::DELETE, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The status and the machine code of an error.
pub(crate) fn code(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["code"].clone())
}

/// The answer without what the call did to the user: the element.
pub(crate) fn element(answer: &Answer) -> Value {
    let mut element = answer.json();
    let members = element.as_object_mut().expect("an object");
    for key in ["user_id", "person_id", "user_status", "updated_fields", "warnings"] {
        members.remove(key);
    }
    for key in ["requires_reverification", "verification_triggered"] {
        assert!(members.remove(key).is_some_and(|value| value.is_boolean()), "{key}");
    }
    element
}

pub(crate) fn eva() -> Value {
    json!({"first_name": "Eva", "last_name": "Luna", "birth_date": "1990-02-03", "title": "CFO"})
}
