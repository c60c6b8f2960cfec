//! Whole REST requests: path, query, headers and body. The input is lines: `METHOD path?query`, then `name: value` headers,
//! an empty line, and the body.

#![no_main]

use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use kira_gateway::{Checked, Clock, Gateway, error};
use kira_gateway_conformance::{Library, v1};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

thread_local! {
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
}

/// What a request may be answered with: a fault of the caller's, never one of the server's.
const ANSWERS: [u16; 8] = [200, 201, 204, 400, 404, 405, 415, 503];

fuzz_target!(|input: &[u8]| {
    let Some(request) = request(input) else { return };
    RUNTIME.with(|runtime| runtime.block_on(answer(request)));
});

async fn answer(request: Request<Full<bytes::Bytes>>) {
    let clock: Clock = Arc::new(Default::default);
    let service = Arc::new(Checked::new(Library::default(), clock));
    let gateway = Gateway::builder().routes(v1::library_service_rest::routes(service)).build().expect("routes");
    let response = match gateway.find(request.method(), request.uri()) {
        Ok(matched) => gateway.call(matched, request).await,
        Err(status) => error::rest_response(&status),
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    assert!(ANSWERS.contains(&head.status.as_u16()), "{}: {}", head.status, String::from_utf8_lossy(&body));
    let media_type = head.headers.get("content-type").and_then(|value| value.to_str().ok());
    if media_type == Some("application/json") && !body.is_empty() {
        let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        if head.status == 400 {
            assert!(json["details"].as_array().is_some_and(|details| !details.is_empty()), "{json}");
        }
    }
}

fn request(input: &[u8]) -> Option<Request<Full<bytes::Bytes>>> {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let head = std::str::from_utf8(&input[..end]).ok()?;
    let body = input.get(end + 2..).unwrap_or_default();
    let mut lines = head.lines();
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name, value.trim());
    }
    request.body(Full::new(body.to_vec().into())).ok()
}
