//! The files that are made of the contract for users of the REST API are in the repository as they are made now.
//! `UPDATE_DOCS=1 cargo test -p kira-codegen --test openapi` writes them.

use std::path::PathBuf;

use kira_codegen::{Generator, OpenApi};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn made() -> OpenApi {
    let root = root();
    let generator =
        Generator::new(root.join("proto")).package("kira.users.v1").files("kira.api.v1", &["kira/api/v1/errors.proto"]);
    generator.openapi(root.join("proto/openapi")).expect("the contract is sound")
}

/// Compares a file of the repository with what is made now, or writes it.
#[track_caller]
fn is_current(path: &str, current: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, current).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(committed == current, "{path} is stale: UPDATE_DOCS=1 cargo test -p kira-codegen --test openapi");
}

#[test]
fn the_openapi_document_is_that_of_the_contract() {
    is_current("docs/openapi.json", &made().json);
}

#[test]
fn the_postman_collection_has_the_recorded_examples() {
    is_current("docs/kira-users.postman_collection.json", &made().postman);
}

#[test]
fn the_http_file_has_the_recorded_examples() {
    is_current("docs/kira-users.http", &made().http_file);
}
