//! Answers, files and rows, as the tests of promises need them.

use std::path::{Path, PathBuf};

use kira_gateway::error::{ErrorReason, details};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use tonic::{Code, Status};

use crate::harness::database::{ALL_EVENTS, TestDatabase};
use crate::harness::service::{Answer, Service};

/// The code, reason and message of a gRPC error.
pub(crate) fn refusal(status: &Status) -> (Code, ErrorReason, String) {
    let details = details(status).expect("every error says why");
    (status.code(), details.reason, status.message().to_owned())
}

/// The problems of a 400 as (path, message, code).
pub(crate) fn problems(answer: &Answer) -> Vec<[String; 3]> {
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!(body["error"], "Invalid request data");
    let text = |problem: &Value, key: &str| problem[key].as_str().expect("a text").to_owned();
    let list = body["details"].as_array().expect("a list");
    list.iter().map(|problem| ["path", "message", "code"].map(|key| text(problem, key))).collect()
}

/// The problems of an INVALID_ARGUMENT as (path, message, code).
pub(crate) fn violations(status: &Status) -> Vec<[String; 3]> {
    assert_eq!(refusal(status).1, ErrorReason::InvalidRequest);
    let violations = details(status).expect("details").violations;
    violations.into_iter().map(|violation| [violation.field, violation.description, violation.reason]).collect()
}

/// The id of the user in an answer.
pub(crate) fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// All objects in the documents folder, whole or not.
pub(crate) fn objects(service: &Service) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&service.folder.path().join("documents"), &mut found);
    found
}

/// All files under a folder.
pub(crate) fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// How many rows there are of users, claims, events, jobs and documents.
pub(crate) async fn rows(database: &TestDatabase) -> [i64; 5] {
    let mut counts = [0; 5];
    for (count, table) in counts.iter_mut().zip(["users", "idempotency_keys", ALL_EVENTS, "jobs", "documents"]) {
        *count = database.count(table).await;
    }
    counts
}

/// Runs SQL beside the service.
pub(crate) async fn execute(database: &TestDatabase, sql: &str) {
    let connection = database.look().await;
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.execute_raw(statement).await.expect("the statement succeeds");
}
