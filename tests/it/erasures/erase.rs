//! An erased user is gone, its key makes no other, and its certificate proves it.

use kira_users::domain::verification::Decision;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use super::support::{erase, erase_with, erased, eraser, execute, grpc_erase, with_external_id};
use crate::harness::requests::{minimal, with, with_files};
use crate::harness::service::Service;
use crate::updates::support::{claim, created, put, settle, stored_files};

/// Tables that have rows of a user, and none once it is erased.
const OF_USERS: [&str; 8] = [
    "users",
    "documents",
    "verification_attempts",
    "review_steps",
    "user_history",
    "user_index",
    "external_ids",
    "legal_holds",
];

fn decoded(text: &Value) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text.as_str().expect("a text")).expect("base64")
}

#[tokio::test]
async fn an_erased_user_is_not_found_and_leaves_no_row_and_no_file() {
    let service = Service::start_with(&[("KIRA_EXTERNAL_ID_UNIQUE", "true")]).await;
    let client = service.client().await;
    let user = created(&client, &with_external_id(with_files(), "crm-1")).await;
    let other = created(&client, &with(minimal(), "/email", "other@example.com".into())).await;
    let email = with_files()["email"].as_str().expect("an address").to_owned();
    assert!(stored_files(&service) > 0);
    erased(&client, &user).await;
    for path in ["", "/history", "/holds", "/verifications", "/associated_persons"] {
        let answer = client.get(&format!("/v1/users/{user}{path}")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{path}");
    }
    let change = put(&client, &user, &json!({"first_name": "Ann"})).await;
    assert_eq!(change.status, 404, "{}", change.text);
    let list = client.get("/v1/users").await.json();
    assert_eq!((&list["data"][0]["id"], &list["pagination"]["total"]), (&json!(other), &json!(1)));
    assert_eq!(client.get(&format!("/v1/users?email={email}")).await.json()["data"], json!([]));
    assert_eq!(stored_files(&service), 0);
    erased(&client, &other).await;
    for table in OF_USERS {
        assert_eq!(service.database.count(table).await, 0, "{table}");
    }
    // The external id is free again.
    created(&client, &with_external_id(minimal(), "crm-1")).await;
}

#[tokio::test]
async fn the_certificate_is_signed_and_says_what_was_deleted() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &with_files()).await;
    let certificate = erased(&client, &user).await;
    let statement = certificate["statement"].as_str().expect("a statement");
    let key = UnparsedPublicKey::new(&ED25519, decoded(&certificate["public_key"]));
    key.verify(statement.as_bytes(), &decoded(&certificate["signature"])).expect("a signature");
    let said: Value = serde_json::from_str(statement).expect("JSON");
    assert_eq!((&said["user_id"], &said["client_id"]), (&json!(user), &json!(client.id)));
    assert_eq!((&said["cause"], &said["erased_at"]), (&json!("client"), &certificate["erased_at"]));
    assert_eq!((&said["deleted"]["verifications"], &said["deleted"]["history"]), (&json!(1), &json!(1)));
    assert!(said["deleted"]["documents"].as_u64().expect("a number") > 0);
    let shown = client.get(&format!("/v1/users/{user}/erasure_certificate")).await;
    assert_eq!((shown.status, shown.json()), (200, certificate));
    let living = created(&client, &minimal()).await;
    assert_eq!(client.get(&format!("/v1/users/{living}/erasure_certificate")).await.status, 404);
}

#[tokio::test]
async fn the_key_that_created_an_erased_user_creates_no_other() {
    let service = Service::start().await;
    let client = service.client().await;
    let key = Uuid::new_v4();
    let first = client.create_with(key, &minimal()).await;
    erased(&client, first.json()["id"].as_str().expect("an id")).await;
    let again = client.create_with(key, &minimal()).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("user_erased")));
    let other = client.create_with(key, &with(minimal(), "/first_name", "Other".into())).await;
    assert_eq!((other.status, &other.json()["code"]), (409, &json!("idempotency_key_reused")));
    assert_eq!(service.database.count("users").await, 0);
}

#[tokio::test]
async fn erasing_twice_answers_with_the_first_certificate() {
    let service = Service::start().await;
    let client = service.client().await;
    let (user, other) = (created(&client, &minimal()).await, created(&client, &minimal()).await);
    let key = Uuid::new_v4().to_string();
    let headers = [("idempotency-key", key.as_str())];
    let first = erase_with(&client, &user, &headers).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
    for again in [erase_with(&client, &user, &headers).await, erase(&client, &user).await] {
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
        assert_eq!(again.json(), first.json());
    }
    let reused = erase_with(&client, &other, &headers).await;
    assert_eq!((reused.status, &reused.json()["code"]), (409, &json!("idempotency_key_reused")));
    let over_grpc = grpc_erase(&client, &user).await.expect("a certificate");
    assert_eq!(json!(over_grpc.signature), first.json()["signature"]);
}

#[tokio::test]
async fn who_is_unknown_another_clients_or_has_changed_is_not_erased() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &minimal()).await;
    let other = service.client().await;
    assert_eq!(erase(&other, &user).await.status, 404);
    assert_eq!(grpc_erase(&other, &user).await.expect_err("an error").code(), Code::NotFound);
    assert_eq!(erase(&client, &Uuid::new_v4().to_string()).await.status, 404);
    assert_eq!(erase(&client, "me").await.status, 400);
    let stale = erase_with(&client, &user, &[("if-match", "\"7\"")]).await;
    assert_eq!((stale.status, &stale.json()["code"]), (412, &json!("precondition_failed")));
    assert_eq!(client.get(&format!("/v1/users/{user}")).await.status, 200);
    assert_eq!(erase_with(&client, &user, &[("if-match", "\"1\"")]).await.status, 200);
}

#[tokio::test]
async fn a_verification_that_is_under_way_ends_without_a_trace() {
    let service = Service::start_with(&[("KIRA_WORKER", "false")]).await;
    let client = service.client().await;
    let user = created(&client, &with_files()).await;
    let claimed = claim(&service).await;
    erased(&client, &user).await;
    settle(&service, &claimed, Decision::Verified).await;
    let waiting = created(&client, &with_files()).await;
    erased(&client, &waiting).await;
    service.running.worker.drain().await.expect("the database answers");
    assert_eq!(service.database.count("verification_attempts").await, 0);
    assert_eq!(service.database.count("jobs").await, 0);
}

#[tokio::test]
async fn a_user_whose_profile_does_not_open_is_erased_with_its_index_entries() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &minimal()).await;
    execute(&service, "UPDATE users SET profile = wrapped_key").await;
    assert_eq!(client.get(&format!("/v1/users/{user}")).await.status, 500);
    erased(&client, &user).await;
    assert_eq!(service.database.count("user_index").await, 0);
}

#[tokio::test]
async fn the_operator_erases_by_the_command_line_with_a_certificate_of_its_own() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &minimal()).await;
    let id = user.parse().expect("an id");
    let left = eraser(&service, &[]).await.erase(client.id, id).await.expect("an erasure");
    assert!(left.certificate.statement.contains("\"cause\":\"operator\""));
    let json = client.get(&format!("/v1/users/{user}/erasure_certificate")).await;
    let said = kira_users::service::erasures::verify(json.text.as_bytes(), None).expect("a certificate");
    assert_eq!(said.user_id, id);
}

#[tokio::test]
async fn no_byte_of_the_wrapped_key_is_left_in_the_file() {
    let service = Service::start().await;
    let Some(folder) = service.database.folder().map(std::path::Path::to_owned) else { return };
    let client = service.client().await;
    let user = created(&client, &minimal()).await;
    let row = service.running.resources.store.find_user(client.id, user.parse().expect("an id")).await;
    let row = row.expect("an answer").expect("a user");
    let bytes = || {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let files = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let file = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "db")).expect("a database");
        let connection = rusqlite::Connection::open(&file).expect("the database");
        connection.query_row(checkpoint, [], |_| Ok(())).expect("a checkpoint");
        std::fs::read(&file).expect("the file")
    };
    let has = |file: &[u8], part: &[u8]| file.windows(part.len()).any(|window| window == part);
    assert!(has(&bytes(), &row.wrapped_key[8..]) && has(&bytes(), &row.profile[..32]));
    erased(&client, &user).await;
    assert!(!has(&bytes(), &row.wrapped_key[8..]));
    assert!(!has(&bytes(), &row.profile[..32]));
}
