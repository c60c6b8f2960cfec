//! What the modules share: calls, and what an answer says.

use std::path::Path;

use chrono::TimeDelta;
use kira_gateway::error::details;
use kira_users::contract::v1;
use kira_users::contract::v1::update_user_request::User as Change;
use kira_users::domain::verification::{Assurance, Decision, Outcome, Reason};
use kira_users::store::{ClaimedVerification, JobResult, ProviderAnswer, VerificationResult};
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use tonic::{Code, Status};

use crate::harness::service::{Answer, Client, Service};

/// A call with a JSON body and further headers.
pub(crate) async fn send(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let mut request = client.request(method, path).json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

/// `PUT` of a user.
pub(crate) async fn put(client: &Client, id: &str, body: &Value) -> Answer {
    put_with(client, id, &[], body).await
}

/// `PUT` of a user with further headers.
pub(crate) async fn put_with(client: &Client, id: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    send(client, Method::PUT, &format!("/v1/users/{id}"), headers, body).await
}

/// `PUT` of a user that succeeds.
pub(crate) async fn updated(client: &Client, id: &str, body: &Value) -> Value {
    let answer = put(client, id, body).await;
    assert_eq!(answer.status, 200, "{} for {body}", answer.text);
    answer.json()
}

/// The user as a GET shows it.
pub(crate) async fn shown(client: &Client, id: &str) -> Value {
    let answer = client.get(&format!("/v1/users/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// A new user's identifier.
pub(crate) async fn created(client: &Client, body: &Value) -> String {
    let answer = client.create(body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// UpdateUser over gRPC.
pub(crate) async fn grpc_update(client: &Client, id: &str, change: Option<Change>) -> Result<v1::User, Status> {
    let message =
        v1::UpdateUserRequest { user: change, user_id: Some(id.to_owned()), ..v1::UpdateUserRequest::default() };
    let response = client.grpc().update_user(client.call(message)).await?;
    Ok(response.into_inner().user.expect("a user"))
}

/// The texts of one column.
pub(crate) async fn texts(service: &Service, sql: &str) -> Vec<String> {
    let connection = service.database.look().await;
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("the query succeeds");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

/// Takes the only due job up, as a worker would.
pub(crate) async fn claim(service: &Service) -> ClaimedVerification {
    let store = &service.running.resources.store;
    let claimed = store.claim_verifications(service.clock.as_ref(), "test", 10, TimeDelta::seconds(60)).await;
    let mut claimed = claimed.expect("a claim");
    assert_eq!(claimed.len(), 1, "one job is due and has something to do");
    claimed.remove(0)
}

/// Hands the outcome of a claimed job in, as a worker would.
pub(crate) async fn settle(service: &Service, claimed: &ClaimedVerification, decision: Decision) {
    let outcome = Outcome { decision, assurance: Assurance::Simulated, reasons: vec![Reason::new("test", "A test")] };
    let settlement = JobResult {
        job_id: claimed.job_id,
        lease: claimed.lease,
        client_id: claimed.user.client_id,
        user_id: claimed.user.id,
        attempt_id: claimed.attempt.id,
        result: VerificationResult::Outcome { outcome, again_at: None },
        answer: ProviderAnswer::default(),
        trace_context: None,
    };
    let store = &service.running.resources.store;
    store.settle_verifications(service.clock.as_ref(), vec![settlement]).await.expect("a settlement");
}

/// Gives the only user the outcome of its verification.
pub(crate) async fn decide(service: &Service, decision: Decision) {
    settle(service, &claim(service).await, decision).await;
}

/// The places and codes of a 400.
pub(crate) fn problems_of(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 400, "{}", answer.text);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let body = answer.json();
    let details = body["details"].as_array().expect("a list of details");
    details.iter().map(|entry| (text(&entry["path"]), text(&entry["code"]))).collect()
}

/// The places and codes of an INVALID_ARGUMENT.
pub(crate) fn violations_of(status: &Status) -> Vec<(String, String)> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let found = details(status).expect("details of ours").violations;
    found.into_iter().map(|violation| (violation.field, violation.reason)).collect()
}

/// An expected problem.
pub(crate) fn problem(path: &str, code: &str) -> (String, String) {
    (path.to_owned(), code.to_owned())
}

/// The number of files in the document store.
pub(crate) fn stored_files(service: &Service) -> usize {
    files(&service.folder.path().join("documents"))
}

fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.expect("an entry").path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}
