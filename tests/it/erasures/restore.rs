//! A backup that is restored does not bring an erased user back for good.

use chrono::TimeDelta;
use kira_users::service::erasures::Reapplied;
use serde_json::json;

use super::support::{erased, eraser, execute};
use crate::harness::requests::with_files;
use crate::harness::service::Service;
use crate::updates::support::created;

const COPIED: [&str; 4] = ["users", "documents", "user_history", "user_index"];

/// The folder of the installation below that of the documents.
fn installation(service: &Service) -> std::ffi::OsString {
    let mut folders = std::fs::read_dir(service.folder.path().join("documents")).expect("a folder");
    folders.next().expect("a folder").expect("an entry").file_name()
}

#[tokio::test]
async fn a_restored_user_is_erased_again_with_its_first_certificate() {
    let service = Service::start_with(&[("KIRA_WORKER", "false")]).await;
    let client = service.client().await;
    let (user, living) = (created(&client, &with_files()).await, created(&client, &with_files()).await);
    for table in COPIED {
        execute(&service, &format!("CREATE TABLE backup_{table} AS SELECT * FROM {table}")).await;
    }
    let certificate = erased(&client, &user).await;
    let eraser = eraser(&service, &[]).await;
    assert_eq!(eraser.finish().await.expect("an answer"), 0, "a delivery may be under way");
    service.clock.advance(TimeDelta::seconds(61));
    assert_eq!(eraser.finish().await.expect("an answer"), 1);
    assert_eq!(eraser.finish().await.expect("an answer"), 0);
    execute(&service, "DELETE FROM erased_users").await;
    for table in COPIED {
        let column = if table == "users" { "id" } else { "user_id" };
        let missing = format!("{column} NOT IN (SELECT {column} FROM {table})");
        execute(&service, &format!("INSERT INTO {table} SELECT * FROM backup_{table} WHERE {missing}")).await;
    }
    assert_eq!(client.get(&format!("/v1/users/{user}")).await.status, 200);
    // What is no certificate keeps no user from being erased.
    let erasures = service.folder.path().join("documents").join(installation(&service)).join("erasures");
    std::fs::write(erasures.join("0-is-no-certificate"), "x").expect("a file");
    let once = Reapplied { erased: 1, unreadable: 1 };
    assert_eq!(eraser.reapply().await.expect("an answer"), once);
    assert_eq!(client.get(&format!("/v1/users/{user}")).await.status, 404);
    assert_eq!(client.get(&format!("/v1/users/{user}/erasure_certificate")).await.json(), certificate);
    assert_eq!(client.get(&format!("/v1/users/{living}")).await.status, 200);
    assert_eq!(eraser.reapply().await.expect("an answer").erased, 0);
}

#[tokio::test]
async fn a_user_that_is_younger_than_the_backup_is_known_as_erased() {
    let service = Service::start().await;
    let client = service.client().await;
    let user = created(&client, &with_files()).await;
    let certificate = erased(&client, &user).await;
    let eraser = eraser(&service, &[]).await;
    service.clock.advance(TimeDelta::seconds(61));
    eraser.finish().await.expect("an answer");
    execute(&service, "DELETE FROM erased_users").await;
    let path = format!("/v1/users/{user}/erasure_certificate");
    assert_eq!(client.get(&path).await.json()["code"], json!("not_found"));
    assert_eq!(eraser.reapply().await.expect("an answer").erased, 0);
    assert_eq!(client.get(&path).await.json(), certificate);
}
