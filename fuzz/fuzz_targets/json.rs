//! The JSON reader: it takes what serde_json takes, apart from the documented limits, and what it writes reads the same.

#![no_main]

use kira_gateway::json;
use kira_gateway_conformance::v1::Book;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize as _;

fuzz_target!(|body: &[u8]| {
    let read = json::read::<Book>(body);
    let problems = read.problems.clone().into_sorted();
    let refusal = problems.iter().find(|problem| problem.code == "invalid_json").map(|problem| problem.message.clone());
    match refusal {
        None => assert!(is_json(body), "read, but serde_json refuses it"),
        // Depth, number of values and keys given twice are limits of the reader alone.
        Some(reason) if reason.starts_with("JSON ") || reason.starts_with("Duplicate key") => {}
        Some(reason) => assert!(!is_json(body), "{reason}, but serde_json reads it"),
    }
    if problems.is_empty() {
        let written = json::to_vec_whole(&read.message);
        let again = json::read::<Book>(&written);
        let problems = again.problems.into_sorted();
        assert!(problems.is_empty(), "{problems:?} in {}", String::from_utf8_lossy(&written));
        assert!(again.message == read.message, "another message after {}", String::from_utf8_lossy(&written));
    }
});

fn is_json(body: &[u8]) -> bool {
    let mut json = serde_json::Deserializer::from_slice(body);
    json.disable_recursion_limit();
    serde_json::Value::deserialize(&mut json).and_then(|_| json.end()).is_ok()
}
