//! Replacing and removing files.

use futures_util::stream;
use kira_users::contract::v1;
use kira_users::domain::verification::Decision;
use reqwest::Method;
use serde_json::json;

use crate::documents::support::{Scene, not_found, picture, send_bytes};
use crate::elements::support::delete;
use crate::updates::support::decide;

const KEY: &str = "8f4b5d1c-0c7e-4a52-9a0b-6f1d2c3b4a59";

async fn content(scene: &Scene, id: &str) -> Vec<u8> {
    let answer = scene.client.request(Method::GET, &scene.content(id)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.bytes().await.expect("a body").to_vec()
}

#[tokio::test]
async fn a_replaced_file_has_the_id_of_its_document_and_the_first_is_gone() {
    let scene = Scene::new().await;
    let front = scene.document("front").await;
    let (files, new) = (scene.files(), picture(200_000));
    let headers = [("content-type", "image/jpeg"), ("idempotency-key", KEY)];
    for (repetition, replayed) in [None, Some("true")].into_iter().enumerate() {
        let answer = send_bytes(&scene.client, Method::PUT, &scene.content(&front), &headers, new.clone()).await;
        assert_eq!(
            (answer.status, answer.header("idempotent-replayed")),
            (200, replayed),
            "{repetition}: {}",
            answer.text
        );
        let json = answer.json();
        assert_eq!((&json["document"]["id"], &json["document"]["type"]), (&json!(front), &json!("front")));
        assert_eq!(json["document"]["size"], new.len());
        assert_eq!(json["updated_fields"], json!(["content"]));
    }
    assert!(content(&scene, &front).await == new);
    assert_eq!(scene.files(), files, "the first file is deleted");
    let history = scene.client.get(&scene.path("history")).await.json();
    assert!(history["data"][0]["fields"].to_string().contains(&format!("documents.{front}.file")), "{history}");
    let same = send_bytes(&scene.client, Method::PUT, &scene.content(&front), &headers[..1], new).await;
    assert_eq!((same.status, &same.json()["updated_fields"]), (200, &json!([])), "the same file changes nothing");
    assert_eq!(scene.files(), files);

    let first = v1::ReplaceDocumentRequest {
        user_id: Some(scene.id.clone()),
        document_id: Some(front.clone()),
        media_type: Some(v1::MediaType::Pdf.into()),
        content: b"%PDF-".to_vec().into(),
        ..v1::ReplaceDocumentRequest::default()
    };
    let next = v1::ReplaceDocumentRequest { content: b"1.7".to_vec().into(), ..Default::default() };
    let request = scene.client.call(stream::iter([first, next]));
    let replaced = scene.grpc().replace_document(request).await.expect("a replacement").into_inner();
    assert!(replaced.document.is_some_and(|document| document.media_type() == v1::MediaType::Pdf));
    assert_eq!(content(&scene, &front).await, b"%PDF-1.7");
}

#[tokio::test]
async fn a_removed_document_is_gone_with_its_file() {
    let scene = Scene::new().await;
    let (front, back, files) = (scene.document("front").await, scene.document("back").await, scene.files());
    let path = scene.path(&format!("documents/{front}"));
    for replayed in [None, Some("true")] {
        let answer = delete(&scene.client, &path, &[("idempotency-key", KEY)]).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, replayed), "{}", answer.text);
        assert_eq!(answer.json()["user_id"], *scene.id);
    }
    let gone = delete(&scene.client, &path, &[]).await;
    assert_eq!((gone.status, gone.json()), (404, not_found(&front)));
    assert_eq!(scene.files(), files - 1);
    let request = v1::RemoveDocumentRequest {
        user_id: Some(scene.id.clone()),
        document_id: Some(back),
        ..v1::RemoveDocumentRequest::default()
    };
    scene.grpc().remove_document(scene.client.call(request)).await.expect("a removal");
    assert_eq!((scene.files(), scene.documents().await.len()), (files - 2, 1));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_replaced_nor_removed() {
    let scene = Scene::new().await;
    let (unknown, files) = (uuid::Uuid::new_v4().to_string(), scene.files());
    for key in [&[][..], &[("idempotency-key", KEY)]] {
        let headers = [&[("content-type", "image/jpeg")], key].concat();
        let answer = send_bytes(&scene.client, Method::PUT, &scene.content(&unknown), &headers, picture(10)).await;
        assert_eq!((answer.status, answer.json()), (404, not_found(&unknown)));
        let answer = delete(&scene.client, &scene.path(&format!("documents/{unknown}")), key).await;
        assert_eq!((answer.status, answer.json()), (404, not_found(&unknown)));
    }
    assert_eq!(scene.files(), files);
}

#[tokio::test]
async fn a_verified_user_is_verified_again_when_a_file_is_replaced() {
    let scene = Scene::new().await;
    let front = scene.document("front").await;
    decide(&scene.service, Decision::Verified).await;
    assert_eq!(scene.shown().await["status"], "VERIFIED");
    let headers = [("content-type", "image/jpeg")];
    let answer = send_bytes(&scene.client, Method::PUT, &scene.content(&front), &headers, picture(10)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["requires_reverification"], true);
    assert_eq!(answer.json()["verification_triggered"], true);
}
