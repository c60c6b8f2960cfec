//! `docs/gateway.md` names a test for each rule.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
}

/// The names between backticks in the last column of every row.
fn tests_of(document: &str) -> Vec<&str> {
    let rows = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Rule "));
    let last = rows.filter_map(|row| row.trim_end_matches(" |").rsplit_once(" | ")).map(|(_, last)| last);
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_rule_of_the_document_is_held_by_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(root.join("docs/gateway.md")).expect("docs/gateway.md");
    let mut files = Vec::new();
    for folder in ["gateway", "codegen", "tests/it"] {
        sources(&root.join(folder), &mut files);
    }
    let code: String = files.iter().map(|file| fs::read_to_string(file).expect("a source file")).collect();
    let named = tests_of(&document);
    let rows = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Rule ")).count();
    assert!(named.len() >= rows, "a row names no test");
    let missing: Vec<_> = named.into_iter().filter(|name| !code.contains(&format!("fn {name}()"))).collect();
    assert!(missing.is_empty(), "docs/gateway.md names tests that do not exist: {missing:?}");
}
