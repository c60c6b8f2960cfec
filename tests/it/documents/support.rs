//! A user with documents, and calls about them.

use kira_users::contract::v1;
use kira_users::contract::v1::documents_service_client::DocumentsServiceClient;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::transport::Channel;
use uuid::Uuid;

use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg, with};
use crate::harness::service::{Answer, Client, Service};
use crate::updates::support::{created, shown};

/// The boundary of the forms.
pub(crate) const BOUNDARY: &str = "----kira";

/// A service, a client, and an individual of it with three documents.
pub(crate) struct Scene {
    pub(crate) service: Service,
    pub(crate) client: Client,
    pub(crate) id: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(example(EXAMPLES[0])).await
    }

    /// With a front of this content.
    pub(crate) async fn with_front(content: &[u8]) -> Self {
        let file = data_uri("image/jpeg", content);
        Self::with(with(example(EXAMPLES[0]), "/identifying_information/1/documents/0/file", file)).await
    }

    pub(crate) async fn with(body: Value) -> Self {
        let service = Service::start().await;
        let client = service.client().await;
        let id = created(&client, &body).await;
        Self { service, client, id }
    }

    /// The path of something of the user.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/users/{}/{rest}", self.id)
    }

    /// The path of the content of a document.
    pub(crate) fn content(&self, document: &str) -> String {
        self.path(&format!("documents/{document}/content"))
    }

    pub(crate) async fn shown(&self) -> Value {
        shown(&self.client, &self.id).await
    }

    /// The documents of the user, as a list shows them.
    pub(crate) async fn documents(&self) -> Vec<Value> {
        let answer = self.client.get(&self.path("documents?limit=100")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["data"].as_array().expect("a list").clone()
    }

    /// The id of the document of this type.
    pub(crate) async fn document(&self, kind: &str) -> String {
        let documents = self.documents().await;
        let found = documents.iter().find(|document| document["type"] == kind).expect("a document");
        found["id"].as_str().expect("an id").to_owned()
    }

    /// The id of the identification that has documents.
    pub(crate) async fn identification(&self) -> String {
        let documents = self.documents().await;
        documents[0]["identification_id"].as_str().expect("an id").to_owned()
    }

    /// How many files there are in the document store.
    pub(crate) fn files(&self) -> usize {
        crate::promises::support::objects(&self.service).len()
    }

    /// Sends a form.
    pub(crate) async fn upload(&self, headers: &[(&str, &str)], form: Vec<u8>) -> Answer {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let all = [headers, &[("content-type", content_type.as_str())]].concat();
        send_bytes(&self.client, Method::POST, &self.path("documents"), &all, form).await
    }

    pub(crate) fn grpc(&self) -> DocumentsServiceClient<Channel> {
        DocumentsServiceClient::new(self.client.channel.clone())
    }

    /// What begins an upload over gRPC.
    pub(crate) fn begin(&self) -> v1::UploadDocumentsRequest {
        v1::UploadDocumentsRequest { user_id: Some(self.id.clone()), ..v1::UploadDocumentsRequest::default() }
    }
}

/// A call with a body of bytes.
pub(crate) async fn send_bytes(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Answer {
    let mut request = client.request(method, path).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

/// A part of a form.
pub(crate) enum Part<'a> {
    Text(&'a str, &'a str),
    /// The media type and the content of a `file`.
    File(&'a str, &'a [u8]),
}

/// A form, as RFC 7578 has it.
pub(crate) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(format!("--{BOUNDARY}\r\n").as_bytes());
        match part {
            Part::Text(name, value) => out.extend_from_slice(
                format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}").as_bytes(),
            ),
            Part::File(media_type, content) => {
                let head = "Content-Disposition: form-data; name=\"file\"; filename=\"scan\"";
                out.extend_from_slice(format!("{head}\r\nContent-Type: {media_type}\r\n\r\n").as_bytes());
                out.extend_from_slice(content);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    out
}

/// A JPEG of this many bytes or a few more, no two alike.
pub(crate) fn picture(length: usize) -> Vec<u8> {
    let mut content = jpeg(&Uuid::new_v4().to_string());
    let missing = length.saturating_sub(content.len());
    content.extend((0..missing).map(|index| (index % 251) as u8));
    content
}

/// What begins a file over gRPC.
pub(crate) fn head(kind: v1::DocumentType) -> v1::DocumentUpload {
    v1::DocumentUpload {
        r#type: Some(kind.into()),
        media_type: Some(v1::MediaType::Jpeg.into()),
        ..v1::DocumentUpload::default()
    }
}

/// The code, the path and the sentence of each problem.
pub(crate) fn problems(answer: &Answer) -> Vec<(String, String)> {
    let json = answer.json();
    let details = json["details"].as_array().unwrap_or_else(|| panic!("no problems: {}", answer.text)).clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    details.iter().map(|problem| (text(&problem["path"]), text(&problem["message"]))).collect()
}

/// One problem.
pub(crate) fn problem(path: &str, message: &str) -> Vec<(String, String)> {
    vec![(path.to_owned(), message.to_owned())]
}

/// The answer of an element without a document.
pub(crate) fn not_found(id: &str) -> Value {
    json!({"code": "not_found", "message": format!("Document with ID {id} not found")})
}
