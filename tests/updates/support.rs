//! What the modules share: calls, and what an answer says.

use std::path::Path;

use kira_gateway::error::details;
use reqwest::Method;
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
