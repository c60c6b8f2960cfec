//! Files that are not as they were stored, and callers that do not read.

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::documents::support::{Scene, picture};
use crate::promises::support::objects;

/// Flips a bit of the file of a document.
fn flip(scene: &Scene, document: &str, position: usize) {
    let path = objects(&scene.service).into_iter().find(|path| path.ends_with(document)).expect("its file");
    let mut sealed = std::fs::read(&path).expect("a file");
    sealed[position] ^= 1;
    std::fs::write(&path, sealed).expect("room");
}

#[tokio::test]
async fn a_flipped_bit_fails_its_own_caller_and_no_other() {
    let content = picture(2_000_000);
    let scene = Scene::with_front(&content).await;
    let (front, back) = (scene.document("front").await, scene.document("back").await);
    let get = async |id: &str| scene.client.request(Method::GET, &scene.content(id)).send().await.expect("an answer");

    flip(&scene, &front, 1_900_000);
    let answer = get(&front).await;
    assert_eq!(answer.status(), 200, "its first bytes are as they were");
    assert!(answer.bytes().await.is_err(), "the answer ends before its length");
    let before = scene.client.request(Method::GET, &scene.content(&front)).header("range", "bytes=0-999");
    let before = before.send().await.expect("an answer");
    assert!(before.bytes().await.expect("a part that is as it was") == content[..1000]);

    flip(&scene, &front, 100);
    let answer = get(&front).await;
    assert_eq!(answer.status(), 500);
    assert!(answer.text().await.expect("a text").contains("internal_error"));
    assert_eq!(get(&back).await.status(), 200, "others are served");
}

#[tokio::test]
async fn over_grpc_a_damaged_file_ends_with_an_error() {
    let scene = Scene::with_front(&picture(2_000_000)).await;
    let front = scene.document("front").await;
    flip(&scene, &front, 1_900_000);
    let request = kira_users::contract::v1::DownloadDocumentRequest {
        user_id: Some(scene.id.clone()),
        document_id: Some(front),
        ..Default::default()
    };
    let response = scene.grpc().download_document(scene.client.call(request)).await.expect("it begins");
    let (mut messages, mut count) = (response.into_inner(), 0);
    let error = loop {
        match messages.message().await {
            Ok(Some(_)) => count += 1,
            Ok(None) => panic!("it is not whole"),
            Err(status) => break status,
        }
    };
    assert_eq!((error.code(), count > 0), (tonic::Code::Internal, true));
}

#[tokio::test]
async fn a_file_that_is_missing_is_an_error_of_the_service() {
    let scene = Scene::new().await;
    let front = scene.document("front").await;
    let path = objects(&scene.service).into_iter().find(|path| path.ends_with(&front)).expect("its file");
    std::fs::remove_file(path).expect("it is there");
    assert_eq!(scene.client.get(&scene.content(&front)).await.status, 500);
}

#[tokio::test]
async fn a_caller_that_stops_reading_holds_up_no_other() {
    let content = picture(10_000_000);
    let scene = Scene::with_front(&content).await;
    let front = scene.document("front").await;
    let mut stream = TcpStream::connect(scene.service.running.http_addr).await.expect("the listener is open");
    let head = format!(
        "GET {} HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer {}\r\nx-api-key: {}\r\n\r\n",
        scene.content(&front),
        scene.client.token,
        scene.client.api_key,
    );
    stream.write_all(head.as_bytes()).await.expect("it is read");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    let answer = scene.client.request(Method::GET, &scene.content(&front)).send().await.expect("an answer");
    assert!(answer.bytes().await.expect("the whole file") == content, "while the other reads nothing");
}
