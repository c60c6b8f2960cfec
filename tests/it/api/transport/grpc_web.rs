//! gRPC-Web on the gRPC port, over HTTP/1.1: the same calls, limits and errors as over gRPC.

use std::collections::HashMap;

use base64_simd::STANDARD;
use kira_gateway::error::ErrorReason;
use kira_users::contract::v1;
use prost::Message;
use reqwest::Method;
use reqwest::header::HeaderMap;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::api::support::bodies::individual;
use crate::api::support::{message_of, our_details};
use crate::harness::service::{Client, Service};

const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";
const CREATE: &str = "/kira.users.v1.UsersService/CreateUser";
const GET: &str = "/kira.users.v1.UsersService/GetUser";
const APP: &str = "https://app.example.com";

/// The flag of a frame of trailers.
const TRAILERS: u8 = 0x80;

/// An answer over gRPC-Web.
struct WebAnswer {
    http_status: u16,
    headers: HeaderMap,
    messages: Vec<Vec<u8>>,
    trailers: HashMap<String, String>,
}

impl WebAnswer {
    fn message<M: Message + Default>(&self) -> M {
        let [message] = self.messages.as_slice() else { panic!("{} messages", self.messages.len()) };
        M::decode(message.as_slice()).expect("a message")
    }

    /// The status of a call that sent no message.
    fn refusal(&self) -> Status {
        assert_eq!((self.http_status, self.messages.len()), (200, 0));
        Status::from_header_map(&self.headers).expect("a status")
    }
}

/// A message in the frame that gRPC and gRPC-Web share.
fn framed(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).expect("a small message").to_be_bytes();
    [&[0], &length[..], &bytes].concat()
}

/// The frames of a body: their flags and contents.
fn frames(mut body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = body {
        let (content, next) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        found.push((*flag, content.to_vec()));
        body = next;
    }
    found
}

/// The bytes of a body of base64, of which each part may end with padding of its own.
fn decoded(text: &[u8]) -> Vec<u8> {
    let parts = text.chunks(4).map(|part| STANDARD.decode_to_vec(part).expect("base64"));
    parts.flatten().collect()
}

async fn send(service: &Service, client: Option<&Client>, path: &str, media_type: &str, body: Vec<u8>) -> WebAnswer {
    let mut request = service.http.post(format!("http://{}{path}", service.running.grpc_addr));
    if let Some(client) = client {
        request = request.bearer_auth(&client.token).header("x-api-key", &client.api_key);
    }
    request = request.header("idempotency-key", Uuid::new_v4().to_string()).header("origin", APP);
    request = request.header("content-type", media_type).header("accept", media_type).header("x-grpc-web", "1");
    let response = request.body(body).send().await.expect("an answer");
    let (http_status, headers) = (response.status().as_u16(), response.headers().clone());
    assert_eq!(response.version(), reqwest::Version::HTTP_11);
    let body = response.bytes().await.expect("a body");
    let body = if media_type == TEXT { decoded(&body) } else { body.to_vec() };
    let (mut messages, mut trailers) = (Vec::new(), HashMap::new());
    for (flag, content) in frames(&body) {
        match flag {
            TRAILERS => {
                let text = String::from_utf8(content).expect("a text");
                let lines = text.lines().filter_map(|line| line.split_once(':'));
                trailers.extend(lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())));
            }
            _ => messages.push(content),
        }
    }
    WebAnswer { http_status, headers, messages, trailers }
}

#[tokio::test]
async fn a_user_is_created_and_read_in_binary_and_in_base64() {
    let service = Service::start().await;
    let client = service.client().await;
    let create = message_of(&individual()).expect("a message");
    for media_type in [BINARY, TEXT] {
        let encoded =
            |bytes: Vec<u8>| if media_type == TEXT { STANDARD.encode_to_string(&bytes).into_bytes() } else { bytes };
        let answer = send(&service, Some(&client), CREATE, media_type, encoded(framed(&create))).await;
        assert_eq!(answer.trailers.get("grpc-status").map(String::as_str), Some("0"), "{media_type}");
        assert_eq!(answer.headers.get("content-type").expect("a type"), media_type);
        assert!(answer.headers.contains_key("x-request-id") && answer.headers.contains_key("etag"));
        let created = answer.message::<v1::CreateUserResponse>().user.expect("a user");
        let get = v1::GetUserRequest { user_id: Some(created.id.clone()) };
        let answer = send(&service, Some(&client), GET, media_type, encoded(framed(&get))).await;
        assert_eq!(answer.message::<v1::GetUserResponse>().user.map(|user| user.id), Some(created.id));
    }
}

#[tokio::test]
async fn errors_and_limits_are_those_of_grpc() {
    let service = Service::start_with(&[("KIRA_MAX_BODY_BYTES", "64KiB")]).await;
    let client = service.client().await;
    let malformed = framed(&v1::GetUserRequest { user_id: Some("1".to_owned()) });
    for media_type in [BINARY, TEXT] {
        let encoded =
            |bytes: Vec<u8>| if media_type == TEXT { STANDARD.encode_to_string(&bytes).into_bytes() } else { bytes };
        let refused = send(&service, Some(&client), GET, media_type, encoded(malformed.clone())).await.refusal();
        let details = our_details(&refused);
        assert_eq!(details.violations.first().map(|violation| violation.field.as_str()), Some("user_id"));
        let unknown = send(&service, None, GET, media_type, encoded(malformed.clone())).await.refusal();
        assert_eq!(unknown.code(), Code::Unauthenticated);
        let nowhere = send(&service, Some(&client), "/nowhere", media_type, Vec::new()).await.refusal();
        assert_eq!(nowhere.code(), Code::Unimplemented);
        let large = send(&service, Some(&client), GET, media_type, encoded(vec![0; 65 * 1024])).await.refusal();
        assert_eq!(our_details(&large).reason, ErrorReason::PayloadTooLarge, "{media_type}");
    }
    let refused = send(&service, Some(&client), GET, TEXT, b"AAAA*AAA".to_vec()).await.refusal();
    assert_eq!(our_details(&refused).reason, ErrorReason::InvalidRequest);
    assert!(our_details(&refused).violations[0].description.contains("base64"), "{refused:?}");
}

#[tokio::test]
async fn pages_of_listed_origins_may_call_and_read_errors() {
    let service = Service::start_with(&[("KIRA_CORS_ORIGINS", APP)]).await;
    let url = format!("http://{}{GET}", service.running.grpc_addr);
    let preflight = service.http.request(Method::OPTIONS, url).header("origin", APP);
    let preflight = preflight.header("access-control-request-method", "POST").send().await.expect("an answer");
    let words = |headers: &HeaderMap, name: &str| {
        let list = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        list.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let allowed = words(preflight.headers(), "access-control-allow-headers");
    for name in ["content-type", "authorization", "x-api-key", "x-grpc-web", "x-user-agent", "grpc-timeout"] {
        assert!(allowed.contains(&name.to_owned()), "{name}");
    }
    let refused = send(&service, None, GET, BINARY, framed(&v1::GetUserRequest::default())).await;
    assert_eq!(refused.headers.get("access-control-allow-origin").expect("allowed"), APP);
    let exposed = words(&refused.headers, "access-control-expose-headers");
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id", "retry-after"] {
        assert!(exposed.contains(&name.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let service = Service::start_with(&[("KIRA_GRPC_WEB", "false"), ("KIRA_CORS_ORIGINS", APP)]).await;
    for media_type in [BINARY, TEXT] {
        let refused = send(&service, None, GET, media_type, Vec::new()).await;
        assert_eq!(refused.http_status, 415, "{media_type}");
        assert!(!refused.headers.contains_key("access-control-allow-origin"));
    }
}
