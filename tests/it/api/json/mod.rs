//! Bodies that are no JSON, or JSON that says more or other than the contract has words for.

mod keys;
mod syntax;

use uuid::Uuid;

use crate::api::support::details_of;
use crate::harness::service::{Answer, Client};

/// Sends a body as it is.
async fn send(client: &Client, body: impl Into<reqwest::Body>) -> Answer {
    client.create_raw(&[("idempotency-key", &Uuid::new_v4().to_string())], body).await
}

/// The only problem of a body, which is none of a single field.
async fn only_problem(client: &Client, body: impl Into<reqwest::Body>) -> (String, String) {
    let found = details_of(&send(client, body).await);
    assert_eq!((found.len(), found[0].0.as_str()), (1, ""), "{found:?}");
    let (_, message, code) = found.into_iter().next().expect("a problem");
    (code, message)
}

/// An individual as text, with more members.
fn individual_with(members: &str) -> String {
    format!(r#"{{"type":"individual","email":"a@b.co","first_name":"A","last_name":"B",{members}}}"#)
}
