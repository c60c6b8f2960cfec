//! Uploads that are not what they should be: nothing is stored, and the answer says why.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use kira_users::contract::v1;
use reqwest::Method;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::Code;

use crate::documents::support::Part::{File, Text};
use crate::documents::support::{BOUNDARY, Scene, form, head, picture, problem, problems, send_bytes};
use crate::harness::raw;

/// The files and the version of the user: what no refused upload changes.
async fn state(scene: &Scene) -> (usize, Option<String>, usize) {
    let answer = scene.client.get(&format!("/v1/users/{}", scene.id)).await;
    (scene.files(), answer.header("etag").map(str::to_owned), scene.documents().await.len())
}

#[tokio::test]
async fn each_fault_of_a_form_is_named_with_the_number_of_its_file() {
    let scene = Scene::new().await;
    let before = state(&scene).await;
    let (jpeg, large) = (picture(10), picture(10 * 1024 * 1024 + 1));
    let unknown = uuid::Uuid::new_v4().to_string();
    let good = [Text("type", "selfie"), File("image/jpeg", &jpeg)];
    let second = |parts: Vec<crate::documents::support::Part<'_>>| {
        let mut body = form(&good);
        let end = body.len() - format!("--{BOUNDARY}--\r\n").len();
        body.truncate(end);
        [body, form(&parts)].concat()
    };
    let types = "Invalid enum value. Expected 'front' | 'back' | 'selfie' | 'file_proof_of_address' | \
                 'file_business_formation' | 'file_source_of_wealth', received 'face'";
    for (body, path, message) in [
        (form(&[File("image/jpeg", &jpeg)]), "document.0.type", "Required"),
        (second(vec![Text("type", "face"), File("image/jpeg", &jpeg)]), "document.1.type", types),
        (
            form(&[Text("type", "front"), Text("colour", "red"), File("image/jpeg", &jpeg)]),
            "document.0.colour",
            "Unrecognized key(s): 'colour'",
        ),
        (
            form(&[Text("type", "front"), Text("type", "back"), File("image/jpeg", &jpeg)]),
            "document.0.type",
            "Must be given once",
        ),
        (
            form(&[Text("type", "front"), File("image/png", &jpeg)]),
            "document.0.file",
            "The file's content is not of the declared media type",
        ),
        (form(&[Text("type", "front"), File("image/jpeg", b"")]), "document.0.file", "Must contain at least 1 byte(s)"),
        (second(vec![Text("type", "front")]), "document.1.file", "Required"),
        (
            form(&[Text("type", "front"), Text("size", "1"), File("image/jpeg", &jpeg)]),
            "document.0.file",
            &*format!("The file has {} byte(s)", jpeg.len()),
        ),
        (
            form(&[Text("type", "front"), Text("sha256", "00"), File("image/jpeg", &jpeg)]),
            "document.0.file",
            "The file has another SHA-256",
        ),
        (
            form(&[Text("type", "front"), Text("identification_id", &unknown), File("image/jpeg", &jpeg)]),
            "document.0.identification_id",
            "The user has no such identification",
        ),
        (
            form(&[Text("type", "front"), File("image/jpeg", &large)]),
            "document.0.file",
            "Must contain at most 10485760 byte(s)",
        ),
        (form(&[]), "document", "Required"),
    ] {
        let answer = scene.upload(&[], body).await;
        assert_eq!(answer.status, 400, "{message}: {}", answer.text);
        assert_eq!(problems(&answer), problem(path, message));
    }
    assert_eq!(state(&scene).await, before, "nothing is stored");
}

#[tokio::test]
async fn a_form_of_ten_thousand_parts_is_refused() {
    let scene = Scene::new().await;
    let (before, jpeg) = (state(&scene).await, picture(10));
    let files: Vec<_> = (0..5_000).flat_map(|_| [Text("type", "selfie"), File("image/jpeg", &jpeg)]).collect();
    let answer = scene.upload(&[], form(&files)).await;
    assert_eq!((answer.status, problems(&answer)), (400, problem("", "A request must contain at most 20 files")));
    let names: Vec<_> = (0..10_000).map(|number| format!("n{number}")).collect();
    let texts: Vec<_> = names.iter().map(|name| Text(name, "x")).collect();
    let answer = scene.upload(&[], form(&texts)).await;
    assert_eq!((answer.status, problems(&answer)), (400, problem("", "A form must contain at most 256 parts")));
    let text = "x".repeat(20_000);
    let answer = scene.upload(&[], form(&[Text("description", &text)])).await;
    let expected = "The part 'description' must contain at most 16384 bytes";
    assert_eq!((answer.status, problems(&answer)), (400, problem("", expected)));
    let endless = [format!("--{BOUNDARY}\r\nX: ").into_bytes(), vec![b'x'; 2_000_000]].concat();
    let answer = scene.upload(&[], endless).await;
    assert_eq!((answer.status, problems(&answer)), (400, problem("", "The form is malformed")));
    assert_eq!(state(&scene).await, before, "nothing is stored");
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let scene = Scene::new().await;
    for media_type in ["application/json", "multipart/form-data", "multipart/mixed; boundary=x", ""] {
        let headers = [("content-type", media_type)];
        let answer = send_bytes(&scene.client, Method::POST, &scene.path("documents"), &headers, "{}").await;
        assert_eq!(answer.status, 415, "{media_type}: {}", answer.text);
    }
    let front = scene.document("front").await;
    let answer = send_bytes(&scene.client, Method::PUT, &scene.content(&front), &[], picture(10)).await;
    assert_eq!((answer.status, problems(&answer)), (400, problem("media_type", "Required")));
    let headers = [("content-type", "image/gif")];
    let answer = send_bytes(&scene.client, Method::PUT, &scene.content(&front), &headers, picture(10)).await;
    assert_eq!(answer.status, 400);
    assert_eq!(problems(&answer)[0].0, "media_type");
}

#[tokio::test]
async fn an_upload_that_stops_half_way_stores_nothing() {
    let scene = Scene::new().await;
    let before = state(&scene).await;
    let whole = form(&[Text("type", "selfie"), File("image/jpeg", &picture(1_500_000))]);
    // The form ends before its last boundary.
    let answer = scene.upload(&[], whole[..whole.len() - 10].to_vec()).await;
    assert_eq!((answer.status, problems(&answer)), (400, problem("", "The body is incomplete")));
    // The body is shorter than was announced, and the connection closes.
    let mut stream = TcpStream::connect(scene.service.running.http_addr).await.expect("the listener is open");
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer {}\r\nx-api-key: {}\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        scene.path("documents"),
        scene.client.token,
        scene.client.api_key,
        whole.len() + 10,
    );
    stream.write_all(head.as_bytes()).await.expect("it is read");
    stream.write_all(&whole[..1_000_000]).await.expect("it is read");
    stream.shutdown().await.expect("it is open");
    let cut = raw::read(&mut stream).await;
    assert_eq!(cut.status, 400, "{cut:?}");
    drop(stream);
    assert_eq!(state(&scene).await, before, "nothing is stored");
}

#[tokio::test]
async fn over_grpc_an_upload_that_breaks_off_or_lies_stores_nothing() {
    let scene = Scene::new().await;
    let before = state(&scene).await;
    let bytes = |bytes: Vec<u8>| v1::UploadDocumentsRequest { content: bytes.into(), ..Default::default() };
    let begin = |document| v1::UploadDocumentsRequest { document: Some(document), ..scene.begin() };
    let selfie = head(v1::DocumentType::Selfie);
    let refusals = [
        (vec![scene.begin()], Code::InvalidArgument),
        (vec![v1::UploadDocumentsRequest::default()], Code::InvalidArgument),
        (vec![scene.begin(), bytes(picture(10))], Code::InvalidArgument),
        (vec![begin(v1::DocumentUpload::default()), bytes(picture(10))], Code::InvalidArgument),
        (
            vec![begin(v1::DocumentUpload { size: Some(3), ..selfie.clone() }), bytes(picture(10))],
            Code::InvalidArgument,
        ),
        (vec![begin(selfie.clone()), bytes(b"GIF89a, not a JPEG".to_vec())], Code::InvalidArgument),
        (vec![begin(selfie.clone()), bytes(picture(2 * 1024 * 1024))], Code::ResourceExhausted),
    ];
    for (messages, code) in refusals {
        let request = scene.client.call(stream::iter(messages));
        let refused = scene.grpc().upload_documents(request).await.expect_err("it is refused");
        assert_eq!(refused.code(), code, "{refused:?}");
    }
    let endless = stream::iter([begin(selfie), bytes(picture(700_000))]).chain(stream::pending());
    let (mut grpc, request) = (scene.grpc(), scene.client.call(endless));
    let call = tokio::time::timeout(Duration::from_millis(500), grpc.upload_documents(request)).await;
    assert!(call.is_err(), "it waits for more, and the caller leaves");
    assert_eq!(state(&scene).await.1, before.1, "nothing is stored");
    assert_eq!(state(&scene).await.2, before.2);
}
