//! Files as they arrive.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use kira_users::contract::v1;
use serde_json::json;
use tokio::sync::Notify;

use crate::documents::support::Part::{File, Text};
use crate::documents::support::{Scene, form, head, picture};
use crate::erasures::support::erase;
use crate::harness::requests::{EXAMPLES, example};
use crate::harness::service::is_replayed;

const KEY: &str = "8f4b5d1c-0c7e-4a52-9a0b-6f1d2c3b4a59";

#[tokio::test]
async fn a_form_brings_several_files_and_what_each_is() {
    let scene = Scene::new().await;
    let identification = scene.identification().await;
    let (selfie, wealth) = (picture(700_000), b"%PDF-1.7 scan".to_vec());
    let parts = [
        Text("type", "selfie"),
        Text("identification_id", &identification),
        Text("description", "in the light"),
        Text("size", &selfie.len().to_string()),
        File("image/jpeg", &selfie),
        Text("type", "file_source_of_wealth"),
        File("application/pdf", &wealth),
    ];
    let answer = scene.upload(&[], form(&parts)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let json = answer.json();
    assert_eq!((&json["data"][0]["type"], &json["data"][0]["description"]), (&json!("selfie"), &json!("in the light")));
    assert_eq!(json["data"][0]["identification_id"], *identification);
    assert_eq!((&json["data"][1]["type"], &json["data"][1]["subject"]), (&json!("file_source_of_wealth"), &json!("")));
    assert_eq!(json["data"][1]["media_type"], "application/pdf");
    assert_eq!(json["user_id"], *scene.id);
    let tag = scene.client.get(&format!("/v1/users/{}", scene.id)).await.header("etag").map(str::to_owned);
    assert_eq!(answer.header("etag").map(str::to_owned), tag);
    for (number, content) in [selfie, wealth].into_iter().enumerate() {
        let id = json["data"][number]["id"].as_str().expect("an id");
        let sent = scene.client.request(reqwest::Method::GET, &scene.content(id)).send().await.expect("an answer");
        assert!(sent.bytes().await.expect("a body") == content);
    }
    let history = scene.client.get(&scene.path("history")).await.json();
    let fields = history["data"][0]["fields"].to_string();
    assert!(fields.contains(&format!("identifying_information.{identification}.documents.")), "{fields}");
}

#[tokio::test]
async fn over_grpc_messages_bring_several_files() {
    let scene = Scene::with(example(EXAMPLES[3])).await;
    let business = scene.shown().await;
    let person = &business["associated_persons"][0];
    let text = |value: &serde_json::Value| value.as_str().expect("an id").to_owned();
    let of_person = v1::DocumentUpload {
        person_id: Some(text(&person["id"])),
        identification_id: Some(text(&person["identifying_information"][0]["id"])),
        ..head(v1::DocumentType::Selfie)
    };
    let contents = [picture(300_000), picture(10)];
    let mut messages = vec![v1::UploadDocumentsRequest { document: Some(of_person), ..scene.begin() }];
    let bytes = |bytes: &[u8]| v1::UploadDocumentsRequest { content: bytes.to_vec().into(), ..Default::default() };
    messages.extend(contents[0].chunks(100_000).map(bytes));
    let own = Some(head(v1::DocumentType::FileSourceOfWealth));
    messages.push(v1::UploadDocumentsRequest { document: own, ..bytes(&contents[1]) });
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut request = scene.client.call(stream::iter(messages.clone()));
        request.metadata_mut().insert("idempotency-key", KEY.parse().expect("metadata"));
        let response = scene.grpc().upload_documents(request).await.expect("an upload");
        uploads.push((is_replayed(response.metadata()), response.into_inner()));
    }
    assert_eq!((uploads[0].0, uploads[1].0), (false, true));
    assert_eq!(uploads[0].1, uploads[1].1, "the second is the first");
    let data = &uploads[0].1.data;
    assert_eq!(data[0].person_id, Some(text(&person["id"])));
    let sizes: Vec<_> = data.iter().map(|document| document.size as usize).collect();
    assert_eq!(sizes, [contents[0].len(), contents[1].len()]);
}

#[tokio::test]
async fn a_form_sent_again_with_its_key_adds_nothing() {
    let scene = Scene::new().await;
    let selfie = picture(10);
    let body = form(&[Text("type", "selfie"), File("image/jpeg", &selfie)]);
    let first = scene.upload(&[("idempotency-key", KEY)], body.clone()).await;
    let (documents, files) = (scene.documents().await, scene.files());
    let second = scene.upload(&[("idempotency-key", KEY)], body.clone()).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!((first.json(), second.header("idempotent-replayed")), (second.json(), Some("true")));
    let other = form(&[Text("type", "selfie"), File("image/jpeg", &picture(10))]);
    assert_eq!(scene.upload(&[("idempotency-key", KEY)], other).await.status, 409);
    assert_eq!((scene.documents().await, scene.files()), (documents.clone(), files), "no file is left over");
    let known = scene.upload(&[], body).await;
    assert_eq!((known.status, &known.json()["data"][0]["id"]), (201, &first.json()["data"][0]["id"]));
    assert_eq!((scene.documents().await, scene.files()), (documents, files), "the same file is the stored one");
}

#[tokio::test]
async fn a_condition_that_does_not_hold_refuses_an_upload() {
    let scene = Scene::new().await;
    let body = form(&[Text("type", "selfie"), File("image/jpeg", &picture(10))]);
    let files = scene.files();
    assert_eq!(scene.upload(&[("if-match", "\"77\"")], body.clone()).await.status, 412);
    assert_eq!(scene.upload(&[("if-match", "\"77\""), ("idempotency-key", KEY)], body).await.status, 412);
    assert_eq!(scene.files(), files);
}

#[tokio::test]
async fn a_form_of_two_photographs_is_taken_whatever_arrives_together() {
    let scene = Scene::new().await;
    let identification = scene.identification().await;
    let photographs = [picture(1_500_000), picture(2_500_000)];
    let id = Text("identification_id", &identification);
    let [front, back] = [0, 1].map(|number| File("image/jpeg", &photographs[number]));
    let again = Text("identification_id", &identification);
    let answer = scene.upload(&[], form(&[Text("type", "front"), id, front, Text("type", "back"), again, back])).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    for (number, photograph) in photographs.iter().enumerate() {
        let id = answer.json()["data"][number]["id"].as_str().expect("an id").to_owned();
        let sent = scene.client.request(reqwest::Method::GET, &scene.content(&id)).send().await.expect("an answer");
        assert!(sent.bytes().await.expect("a body") == photograph);
    }
}

#[tokio::test]
async fn an_upload_to_a_user_that_is_erased_meanwhile_leaves_no_file() {
    let scene = Scene::new().await;
    let bytes = || v1::UploadDocumentsRequest { content: picture(300_000).into(), ..Default::default() };
    let begin = v1::UploadDocumentsRequest { document: Some(head(v1::DocumentType::Selfie)), ..scene.begin() };
    let (client, id, start) = (scene.client.clone(), scene.id.clone(), Arc::new(Notify::new()));
    // A task of its own: the end of the upload must not end the erasure.
    let erasing = tokio::spawn({
        let start = Arc::clone(&start);
        async move {
            start.notified().await;
            erase(&client, &id).await.status
        }
    });
    let erased = erasing.map(|status| status.expect("an erasure")).shared();
    let last = stream::once({
        let erased = erased.clone();
        async move {
            start.notify_one();
            erased.await;
            bytes()
        }
    });
    let messages = stream::iter([begin, bytes()]).chain(last);
    let refused = scene.grpc().upload_documents(scene.client.call(messages)).await.expect_err("no such user");
    assert_eq!((refused.code(), erased.await), (tonic::Code::NotFound, 200));
    assert_eq!(scene.files(), 0);
}

#[tokio::test]
async fn a_later_message_must_not_say_what_only_the_first_may() {
    let scene = Scene::new().await;
    let files = scene.files();
    let begin = v1::UploadDocumentsRequest { document: Some(head(v1::DocumentType::Selfie)), ..scene.begin() };
    let content = picture(10);
    let later = v1::UploadDocumentsRequest { content: content.into(), ..scene.begin() };
    let refused = scene.grpc().upload_documents(scene.client.call(stream::iter([begin, later]))).await;
    assert_eq!(refused.expect_err("a refusal").code(), tonic::Code::InvalidArgument);
    assert_eq!(scene.files(), files);
}

#[tokio::test]
async fn a_message_has_a_mebibyte_of_content() {
    let scene = Scene::new().await;
    let content = picture(1024 * 1024);
    let begin = v1::UploadDocumentsRequest { document: Some(head(v1::DocumentType::Selfie)), ..scene.begin() };
    let bytes = v1::UploadDocumentsRequest { content: content.clone().into(), ..Default::default() };
    let answer = scene.grpc().upload_documents(scene.client.call(stream::iter([begin, bytes]))).await;
    assert_eq!(answer.expect("an upload").into_inner().data[0].size as usize, content.len());
}
