//! Requests, answers and rows, as the tests of promises need them.

use std::path::{Path, PathBuf};

use kira_gateway::error::{ErrorReason, details};
use kira_users::contract::v1;
use kira_users::contract::v1::create_user_request::User;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::harness::database::TestDatabase;
use crate::harness::service::{Answer, Service};

const FRONT: &[u8] = include_bytes!("../files/front.jpg");
const BACK: &[u8] = include_bytes!("../files/back.jpg");
const PROOF_OF_ADDRESS: &[u8] = include_bytes!("../files/proof_of_address.png");
const BUSINESS_FORMATION: &[u8] = include_bytes!("../files/business_formation.pdf");

/// The specification's four requests.
pub(crate) const EXAMPLES: [&str; 4] = [
    include_str!("../examples/individual_usa.json"),
    include_str!("../examples/individual_mexico.json"),
    include_str!("../examples/business_usa.json"),
    include_str!("../examples/business_mexico.json"),
];

/// One of [`EXAMPLES`] with real files.
pub(crate) fn example(text: &str) -> Value {
    let fill = |text: &str, place: &str, content: &[u8]| text.replace(place, &base64(content));
    let text = fill(text, "image/jpeg;base64,{{front}}", FRONT);
    let text = fill(&text, "image/jpeg;base64,{{back}}", BACK);
    let text = fill(&text, "image/png;base64,{{file_proof_of_address}}", PROOF_OF_ADDRESS);
    let text = fill(&text, "application/pdf;base64,{{file_proof_of_address}}", BUSINESS_FORMATION);
    let text = fill(&text, "application/pdf;base64,{{file_business_formation}}", BUSINESS_FORMATION);
    serde_json::from_str(&text).expect("an example is JSON")
}

/// The individual of the specification that triggers a verification, with three files.
pub(crate) fn with_files() -> Value {
    example(EXAMPLES[0])
}

/// As little as makes a user.
pub(crate) fn minimal() -> Value {
    json!({"type": "individual", "email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"})
}

/// `body` with another value at a JSON pointer.
pub(crate) fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).expect("the place is there") = value;
    body
}

/// A data URI.
pub(crate) fn data_uri(media_type: &str, content: &[u8]) -> Value {
    json!(format!("data:{media_type};base64,{}", base64_simd::STANDARD.encode_to_string(content)))
}

/// A JPEG that has `text` in a comment.
pub(crate) fn jpeg(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len() + 2).expect("a short comment").to_be_bytes();
    [&FRONT[..2], &[0xff, 0xfe], &length, text.as_bytes(), &FRONT[2..]].concat()
}

/// What a JSON body says, as a gRPC client says it.
pub(crate) fn message(body: &Value) -> User {
    let read = kira_gateway::json::read::<v1::CreateUserRequest>(body.to_string().as_bytes());
    assert!(read.problems.is_empty(), "a good body");
    read.message.user.expect("a user")
}

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
    for (count, table) in counts.iter_mut().zip(["users", "idempotency_keys", "events", "jobs", "documents"]) {
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

fn base64(content: &[u8]) -> String {
    // The pattern that is replaced begins with the media type.
    let media_type = match content {
        [0xff, ..] => "image/jpeg",
        [0x89, ..] => "image/png",
        _ => "application/pdf",
    };
    format!("{media_type};base64,{}", base64_simd::STANDARD.encode_to_string(content))
}
