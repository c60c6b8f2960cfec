//! The file of `client import`: clients whose credentials were generated elsewhere, such as by a secret manager.

use std::path::Path;

use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Failure;
use super::arguments::client_name;
use crate::auth::{Credentials, Role};

/// A secret that a person chose can be guessed; 128 random bits have 22 characters or more.
const SHORTEST_SECRET: usize = 32;
/// An API key travels in a header of every request.
const LONGEST_SECRET: usize = 256;

/// A client as the file has it.
#[derive(Debug)]
pub(super) struct ClientEntry {
    /// Its display name.
    pub(super) name: String,
    /// What it may do.
    pub(super) role: Role,
    /// Its credentials.
    pub(super) credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    client_id: Uuid,
    name: String,
    role: Option<String>,
    password: String,
    api_key: String,
}

/// The clients of the file.
///
/// # Errors
/// The file cannot be read, or all that is wrong with it at once. No error shows any of its text.
pub(super) fn read(file: &Path) -> Result<Vec<ClientEntry>, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    parse(&Zeroizing::new(text)).map_err(|problem| format!("{shown} {problem}").into())
}

fn parse(text: &str) -> Result<Vec<ClientEntry>, String> {
    let values: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|error| {
        // The parser's own text may quote a secret.
        format!("is not a JSON list (line {}, column {})", error.line(), error.column())
    })?;
    let mut problems = Vec::new();
    let mut clients: Vec<ClientEntry> = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        match entry(value) {
            Ok(client) if clients.iter().any(|other| other.credentials.client_id == client.credentials.client_id) => {
                problems.push(format!("entry {index}: client_id is that of an earlier entry"));
            }
            Ok(client) => clients.push(client),
            Err(found) => problems.extend(found.iter().map(|problem| format!("entry {index}: {problem}"))),
        }
    }
    if problems.is_empty() { Ok(clients) } else { Err(format!("cannot be used:\n  {}", problems.join("\n  "))) }
}

fn entry(value: serde_json::Value) -> Result<ClientEntry, Vec<String>> {
    const SHAPE: &str = "must have client_id (a UUID), name, password and api_key, may have role, and nothing else";
    let entry: Entry = serde_json::from_value(value).map_err(|_| vec![SHAPE.to_owned()])?;
    let Entry { client_id, password, api_key, .. } = entry;
    let credentials = Credentials { client_id, password, api_key };
    let mut problems = Vec::new();
    let name = client_name(&entry.name).unwrap_or_else(|problem| {
        problems.push(problem);
        String::new()
    });
    let role = entry.role.as_deref().map_or(Ok(Role::Client), str::parse).unwrap_or_else(|error| {
        problems.push(format!("role is {error}"));
        Role::Client
    });
    for (field, secret) in [("password", &credentials.password), ("api_key", &credentials.api_key)] {
        if !(SHORTEST_SECRET..=LONGEST_SECRET).contains(&secret.len()) {
            problems.push(format!("{field} must have {SHORTEST_SECRET} to {LONGEST_SECRET} characters"));
        } else if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.push(format!("{field} must be of visible ASCII characters"));
        }
    }
    if problems.is_empty() { Ok(ClientEntry { name, role, credentials }) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f3c4-0000-7000-8000-000000000001";

    fn problems(text: &str) -> String {
        parse(text).expect_err("is refused")
    }

    #[test]
    fn every_problem_is_reported_at_once_and_none_of_the_secrets() {
        let found = problems(&format!(
            r#"[{{"client_id":"{ID}","name":"","role":"admin","password":"hunter2","api_key":"{}\n"}},{{"name":"b"}}]"#,
            "k".repeat(40)
        ));
        for expected in [
            "entry 0: a name must not be empty",
            "entry 0: role is not a role: client or reviewer",
            "entry 0: password must have 32 to 256 characters",
            "entry 0: api_key must be of visible ASCII characters",
            "entry 1: must have client_id (a UUID)",
        ] {
            assert!(found.contains(expected), "{found}");
        }
        assert!(!found.contains("hunter2") && !found.contains("kkkk"), "{found}");
    }

    #[test]
    fn what_is_no_list_is_refused_without_being_shown() {
        for text in ["secret", "{\"password\":\"secret\"}", "[\"secret\"]"] {
            assert!(!problems(text).contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_client_may_be_in_the_file_once() {
        let secret = "s".repeat(32);
        let entry = format!(r#"{{"client_id":"{ID}","name":"a","password":"{secret}","api_key":"{secret}"}}"#);
        assert!(problems(&format!("[{entry},{entry}]")).contains("entry 1: client_id is that of an earlier entry"));
        assert_eq!(parse(&format!("[{entry}]")).expect("is good").len(), 1);
    }
}
