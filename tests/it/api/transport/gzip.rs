//! Bodies that are compressed with gzip: every limit counts what they inflate to.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::support::{assert_plain, detail, details_of};
use crate::harness::requests::{minimal, with_files};
use crate::harness::service::{Answer, Client, Service};

const LIMITS: [(&str, &str); 2] = [("KIRA_MAX_BODY_BYTES", "1MiB"), ("KIRA_MAX_BODY_BYTES_IN_FLIGHT", "3MiB")];

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

async fn create(client: &Client, key: Uuid, coding: &str, body: Vec<u8>) -> Answer {
    client.create_raw(&[("idempotency-key", &key.to_string()), ("content-encoding", coding)], body).await
}

/// A create of `size` bytes, most of them spaces.
fn padded(size: usize) -> Vec<u8> {
    let body = minimal().to_string();
    [body.as_bytes(), &vec![b' '; size - body.len()]].concat()
}

#[tokio::test]
async fn a_compressed_create_is_the_same_request_as_a_plain_one() {
    let service = Service::start().await;
    let client = service.client().await;
    let (key, body) = (Uuid::new_v4(), with_files());
    let created = create(&client, key, "gzip", gzip(body.to_string().as_bytes())).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let replayed = client.create_with(key, &body).await;
    assert_eq!((replayed.status, &replayed.json()["id"]), (200, &created.json()["id"]));
}

#[tokio::test]
async fn the_size_limit_is_that_of_the_inflated_body() {
    let service = Service::start_with(&LIMITS).await;
    let client = service.client().await;
    assert_eq!(create(&client, Uuid::new_v4(), "gzip", gzip(&padded(1 << 20))).await.status, 201);
    let above = create(&client, Uuid::new_v4(), "gzip", gzip(&padded((1 << 20) + 1))).await;
    assert_plain(&above, 413, "payload_too_large", "The request is too large");
    // A gigabyte of zeros in a megabyte: inflated whole, it would take a second and a thousand times the limit.
    let thousand: Vec<u8> = std::iter::repeat_n(gzip(&vec![0; 1 << 20]), 1_000).flatten().collect();
    let bomb = create(&client, Uuid::new_v4(), "gzip", thousand).await;
    assert_plain(&bomb, 413, "payload_too_large", "The request is too large");
    assert_eq!(
        create(&client, Uuid::new_v4(), "gzip", gzip(&padded(1_000))).await.status,
        201,
        "the memory is free again"
    );
}

#[tokio::test]
async fn a_body_that_is_cut_off_or_no_gzip_is_a_400() {
    let service = Service::start().await;
    let client = service.client().await;
    let whole = gzip(minimal().to_string().as_bytes());
    let key = Uuid::new_v4();
    let cut = create(&client, key, "gzip", whole[..whole.len() - 3].to_vec()).await;
    assert_eq!(details_of(&cut), [detail("", "custom", "The gzip body is incomplete")]);
    let plain = create(&client, key, "gzip", minimal().to_string().into_bytes()).await;
    assert_eq!(details_of(&plain), [detail("", "custom", "The body is not valid gzip")]);
    assert_eq!(create(&client, key, "gzip", whole).await.status, 201, "a refusal leaves no claim");
}

#[tokio::test]
async fn another_coding_is_a_415_that_names_the_one_that_is_read() {
    let service = Service::start().await;
    let client = service.client().await;
    for coding in ["br", "deflate", "gzip, gzip", "gzip, br", "x"] {
        let refused = create(&client, Uuid::new_v4(), coding, gzip(minimal().to_string().as_bytes())).await;
        assert_plain(&refused, 415, "unsupported_media_type", "Content-Encoding must be gzip or absent");
        assert_eq!(refused.header("accept-encoding"), Some("gzip"), "{coding}");
    }
    let wrong_type = client.request(reqwest::Method::POST, "/v1/users").body("x");
    let refused = Answer::of(wrong_type.send().await.expect("an answer")).await;
    assert_eq!((refused.status, refused.header("accept-encoding")), (415, None));
}

#[tokio::test]
async fn nothing_is_inflated_without_credentials() {
    let service = Service::start().await;
    let mut client = service.client().await;
    client.token = "none".to_owned();
    let refused = create(&client, Uuid::new_v4(), "gzip", b"no gzip at all".to_vec()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("unauthorized")));
    let token: Value = json!({"client_id": client.id, "password": client.password});
    let request = service.http.post(format!("{}/auth", service.url())).header("x-api-key", &client.api_key);
    let request = request.header("content-type", "application/json").header("content-encoding", "gzip");
    let request = request.body(gzip(token.to_string().as_bytes()));
    assert_eq!(
        Answer::of(request.send().await.expect("an answer")).await.status,
        200,
        "a token is asked for like this, too"
    );
}
