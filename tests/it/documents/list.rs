//! The list of a user's documents.

use kira_users::contract::v1;
use serde_json::{Value, json};

use crate::documents::support::{Scene, not_found};
use crate::harness::requests::{EXAMPLES, example};

/// Every document with a file that a user shows, and the path by ids of what it belongs to.
fn collect(shown: &Value, subject: &str, found: &mut Vec<(String, Value)>) {
    for list in ["identifying_information", "associated_persons", "documents"] {
        for element in shown[list].as_array().into_iter().flatten() {
            match element["sha256"].is_string() {
                true => found.push((subject.to_owned(), element.clone())),
                false => {
                    let place = format!("{list}.{}", element["id"].as_str().expect("an id"));
                    let subject = if subject.is_empty() { place } else { format!("{subject}.{place}") };
                    collect(element, &subject, found);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_list_shows_every_document_with_what_it_belongs_to() {
    let scene = Scene::with(example(EXAMPLES[3])).await;
    let mut stored = Vec::new();
    collect(&scene.shown().await, "", &mut stored);
    let documents = scene.documents().await;
    assert_eq!(documents.len(), stored.len());
    for document in &documents {
        let same = stored.iter().find(|(_, one)| one["id"] == document["id"]);
        let (subject, same) = same.expect("the user shows it too");
        for key in ["type", "media_type", "size", "sha256", "uploaded_at"] {
            assert_eq!(document[key], same[key], "{key}");
        }
        assert_eq!(document["subject"], **subject);
        let of = |key: &str, list: &str| {
            let id = document[key].as_str();
            assert!(id.is_none_or(|id| subject.contains(&format!("{list}.{id}"))), "{subject}");
            id.is_some()
        };
        assert!(of("identification_id", "identifying_information"));
        assert_eq!(of("person_id", "associated_persons"), subject.contains("associated_persons"));
        let id = document["id"].as_str().expect("an id");
        assert_eq!(scene.client.get(&scene.path(&format!("documents/{id}"))).await.json(), *document);
    }
    let request = v1::ListDocumentsRequest { user_id: Some(scene.id.clone()), ..v1::ListDocumentsRequest::default() };
    let listed = scene.grpc().list_documents(scene.client.call(request)).await.expect("a list").into_inner();
    let ids: Vec<_> = listed.data.into_iter().map(|document| json!(document.id)).collect();
    assert_eq!(ids, documents.iter().map(|document| document["id"].clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn pages_show_each_document_once() {
    let scene = Scene::with(example(EXAMPLES[3])).await;
    let all = scene.documents().await;
    assert!(all.len() > 2 && all.iter().any(|document| document["person_id"].is_string()), "of persons too");
    let (mut found, mut path) = (Vec::new(), scene.path("documents?limit=2"));
    loop {
        let page = scene.client.get(&path).await.json();
        found.extend(page["data"].as_array().expect("a list").clone());
        assert_eq!(page["has_more"].as_bool(), Some(page["next_cursor"].is_string()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = scene.path(&format!("documents?limit=2&cursor={cursor}"));
    }
    assert_eq!(found, all);
    for (query, status) in [("limit=0", 400), ("limit=101", 400), ("cursor=x", 400), ("offset=1", 400)] {
        assert_eq!(scene.client.get(&scene.path(&format!("documents?{query}"))).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn a_document_of_another_user_or_client_is_not_found() {
    let scene = Scene::new().await;
    let front = scene.document("front").await;
    let other_client = scene.service.client().await;
    let other_user = crate::updates::support::created(&scene.client, &crate::harness::requests::minimal()).await;
    for rest in ["", "/content"] {
        let path = format!("/v1/users/{other_user}/documents/{front}{rest}");
        let answer = scene.client.get(&path).await;
        assert_eq!((answer.status, answer.json()), (404, not_found(&front)));
        let path = scene.path(&format!("documents/{front}{rest}"));
        assert_eq!(other_client.get(&path).await.status, 404);
    }
    assert_eq!(other_client.get(&scene.path("documents")).await.status, 404);
}
