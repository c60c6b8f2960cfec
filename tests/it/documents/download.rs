//! Files as they are sent.

use kira_users::contract::v1;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::documents::support::{Scene, picture};

/// The digest of a content, in hexadecimal.
fn sha256(content: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, content))
}

/// The status, the headers and the body of a GET.
async fn get(scene: &Scene, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = scene.client.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.expect("a body").to_vec())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_sent_as_an_attachment() {
    let content = picture(1_000_000);
    let scene = Scene::with_front(&content).await;
    let front = scene.document("front").await;
    let (status, headers, body) = get(&scene, &scene.content(&front), &[]).await;
    assert_eq!(status, 200);
    assert!(body == content, "{} of {} bytes", body.len(), content.len());
    for (name, expected) in [
        ("content-type", "image/jpeg"),
        ("content-length", &*content.len().to_string()),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("content-disposition", &*format!("attachment; filename=\"{front}.jpg\"")),
        ("etag", &*format!("\"{}\"", sha256(&content))),
    ] {
        assert_eq!(header(&headers, name), expected, "{name}");
    }
    let head = scene.client.request(Method::HEAD, &scene.content(&front)).header("range", "bytes=0-1");
    let head = head.send().await.expect("an answer");
    assert_eq!(head.status(), 200, "a range is for GET alone");
    assert_eq!(header(head.headers(), "content-length"), content.len().to_string());
    let known = [("if-none-match", header(&headers, "etag"))];
    let (status, headers, body) = get(&scene, &scene.content(&front), &known).await;
    assert_eq!((status, body.len(), headers.contains_key("content-disposition")), (304, 0, false));
}

#[tokio::test]
async fn a_range_is_that_part_of_the_file() {
    let content = picture(400_000);
    let scene = Scene::with_front(&content).await;
    let path = scene.content(&scene.document("front").await);
    let size = content.len();
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=65535-65536".to_owned(), 65_535, 65_536),
        ("bytes=300000-".to_owned(), 300_000, size - 1),
        ("bytes=-5".to_owned(), size - 5, size - 1),
        (format!("bytes=10-{}", size * 2), 10, size - 1),
    ] {
        let (status, headers, body) = get(&scene, &path, &[("range", &range)]).await;
        assert_eq!(status, 206, "{range}");
        assert_eq!(header(&headers, "content-range"), format!("bytes {first}-{last}/{size}"));
        assert_eq!(header(&headers, "content-length"), (last - first + 1).to_string());
        assert!(body == content[first..=last], "{range}");
    }
    let tag = format!("\"{}\"", sha256(&content));
    for (headers, expected) in [
        ([("range", "bytes=0-9"), ("if-range", &*tag)], 206),
        ([("range", "bytes=0-9"), ("if-range", "\"older\"")], 200),
        ([("range", "bytes=0-9,20-29"), ("x-request-id", "several")], 200),
        ([("range", "lines=1-2"), ("x-request-id", "another unit")], 200),
    ] {
        assert_eq!(get(&scene, &path, &headers).await.0, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn a_range_without_a_byte_of_the_file_is_refused_with_its_length() {
    let scene = Scene::new().await;
    let path = scene.content(&scene.document("front").await);
    let size = get(&scene, &path, &[]).await.2.len();
    for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
        let (status, headers, body) = get(&scene, &path, &[("range", &range)]).await;
        assert_eq!(status, 416, "{range}");
        assert_eq!(header(&headers, "content-range"), format!("bytes */{size}"));
        assert!(String::from_utf8_lossy(&body).contains("range_not_satisfiable"));
    }
    for range in ["bytes=9-5", "bytes=x-", "0-1", "bytes="] {
        let (status, _, body) = get(&scene, &path, &[("range", range)]).await;
        assert_eq!(status, 400, "{range}");
        assert!(String::from_utf8_lossy(&body).contains("Must be a range of bytes"));
    }
}

#[tokio::test]
async fn over_grpc_a_file_is_a_stream_of_messages() {
    let content = picture(900_000);
    let scene = Scene::with_front(&content).await;
    let document_id = scene.document("front").await;
    for (range, first, last) in [(None, 0, content.len() - 1), (Some("bytes=70000-700000"), 70_000, 700_000)] {
        let request = v1::DownloadDocumentRequest {
            user_id: Some(scene.id.clone()),
            document_id: Some(document_id.clone()),
            range: range.map(str::to_owned),
            if_range: None,
        };
        let response = scene.grpc().download_document(scene.client.call(request)).await.expect("a stream");
        let tag = response.metadata().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        assert_eq!(tag, Some(format!("\"{}\"", sha256(&content))));
        let (mut messages, mut found, mut count) = (response.into_inner(), Vec::new(), 0);
        while let Some(message) = messages.message().await.expect("a message") {
            assert!(message.content.len() <= 256 * 1024, "{} bytes at once", message.content.len());
            assert_eq!(message.part.is_some(), count == 0, "the first says what it is");
            if let Some(part) = message.part {
                assert_eq!((part.offset as usize, part.length as usize), (first, last - first + 1));
                assert_eq!(part.document.map(|document| document.id), Some(document_id.clone()));
            }
            found.extend_from_slice(&message.content);
            count += 1;
        }
        assert!(found == content[first..=last] && count > 1);
    }
    let beyond = v1::DownloadDocumentRequest {
        user_id: Some(scene.id.clone()),
        document_id: Some(document_id),
        range: Some("bytes=900000000-".to_owned()),
        if_range: None,
    };
    let refused = scene.grpc().download_document(scene.client.call(beyond)).await.expect_err("beyond the end");
    assert_eq!(refused.code(), tonic::Code::OutOfRange);
}
