//! Both protocols of one library, in process.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use kira_gateway::{Checked, Clock, Gateway};
use kira_gateway_conformance::{Library, v1};
use serde_json::Value;

pub type Grpc = v1::library_service_client::LibraryServiceClient<
    v1::library_service_server::LibraryServiceServer<Checked<Library>>,
>;

pub struct TestServer {
    gateway: Gateway,
    service: Arc<Checked<Library>>,
}

#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn code_and_json(&self) -> (u16, Value) {
        (self.code, self.json())
    }

    /// The problems of the request: path and code of each.
    pub fn problems(&self) -> Vec<(String, String)> {
        assert_eq!(self.code, 400, "{}", self.text);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let json = self.json();
        let details = json["details"].as_array().expect("a list");
        details.iter().map(|detail| (text(&detail["path"]), text(&detail["code"]))).collect()
    }
}

impl TestServer {
    pub fn new() -> Self {
        let clock: Clock = Arc::new(Default::default);
        let service = Arc::new(Checked::new(Library::default(), clock));
        let routes = v1::library_service_rest::routes(Arc::clone(&service));
        Self { gateway: Gateway::builder().routes(routes).build().expect("routes"), service }
    }

    pub fn grpc(&self) -> Grpc {
        self.grpc_up_to(usize::MAX)
    }

    pub fn grpc_up_to(&self, max_size: usize) -> Grpc {
        let server = v1::library_service_server::LibraryServiceServer::from_arc(Arc::clone(&self.service));
        v1::library_service_client::LibraryServiceClient::new(server.max_decoding_message_size(max_size))
    }

    pub async fn send(&self, request: Request<String>) -> Answer {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let response = match self.gateway.find(request.method(), request.uri()) {
            Ok(matched) => self.gateway.call(matched, request).await,
            Err(status) => kira_gateway::error::rest_response(&status),
        };
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Answer { code: head.status.as_u16(), headers: head.headers, text }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request("POST", path, &body.to_string()).await
    }

    pub async fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.send(request.body(body.to_owned()).expect("a request")).await
    }

    /// A request with nothing but a method and a path.
    pub async fn bare(&self, method: &str, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(String::new()).expect("a request")).await
    }

    /// Puts a book on the shelf `s`; answers with it.
    pub async fn put_book(&self, mut book: Value) -> Value {
        book["title"] = "A title".into();
        if book.get("edition").is_none() {
            book["edition"] = "paper".into();
        }
        let answer = self.post("/v1/shelves/s/books", book).await;
        assert_eq!(answer.code, 201, "{}", answer.text);
        answer.json()
    }
}
