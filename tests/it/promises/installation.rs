//! Each database is an installation, whose files are separate from those of others in the same store.

use std::path::Path;

use kira_users::app;

use crate::harness::requests::with_files;
use crate::harness::service::{Client, Service, config};

/// The folders of installations in a documents folder.
fn installations(documents: &Path) -> usize {
    std::fs::read_dir(documents).expect("the documents folder").count()
}

async fn create(client: &Client) {
    assert_eq!(client.create(&with_files()).await.status, 201);
}

#[tokio::test]
async fn the_replicas_of_a_database_are_one_installation_and_another_database_is_another() {
    let service = Service::start().await;
    let documents = service.folder.path().join("documents");
    let place = documents.display().to_string();
    let client = service.client().await;
    create(&client).await;
    let replica = app::start(&config(&service.database, &service.folder, &[]), service.clock.clone()).await;
    let replica = replica.expect("a replica starts");
    create(&client.at(&replica).await).await;
    assert_eq!(installations(&documents), 1);
    let other = Service::start_with(&[("KIRA_DOCUMENTS_URL", &place)]).await;
    create(&other.client().await).await;
    assert_eq!(installations(&documents), 2);
}
