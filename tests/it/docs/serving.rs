//! The documents over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::raw;
use crate::harness::service::{Answer, Service};

const PATHS: [(&str, &str); 8] = [
    ("/docs", "text/html; charset=utf-8"),
    ("/docs/page.css", "text/css; charset=utf-8"),
    ("/docs/page.js", "text/javascript; charset=utf-8"),
    ("/openapi.json", "application/json"),
    ("/openapi-3.2.json", "application/json"),
    ("/openapi.yaml", "application/yaml"),
    ("/descriptors.binpb", "application/protobuf"),
    ("/llms.txt", "text/markdown; charset=utf-8"),
];

async fn send(service: &Service, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = service.http.request(method, format!("{}{path}", service.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn every_document_is_served_without_credentials() {
    let service = Service::start().await;
    for (path, media_type) in PATHS {
        let answer = send(&service, Method::GET, path, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{path}");
        assert!(!answer.text.is_empty() && answer.text.len() < 1 << 20, "{path}: {} bytes", answer.text.len());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("public, no-cache"), "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{path}");
        assert!(answer.header("x-request-id").is_some(), "{path}");
    }
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let service = Service::start().await;
    let answer = send(&service, Method::GET, "/openapi.json", &[]).await;
    assert!(answer.text == include_str!("../../../docs/openapi.json"), "docs/openapi.json is stale");
    assert_eq!(answer.json()["openapi"], "3.1.1");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::start().await;
    for (path, _) in PATHS {
        let get = send(&service, Method::GET, path, &[]).await;
        let head = send(&service, Method::HEAD, path, &[]).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        for name in ["content-type", "content-length", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn a_document_that_the_caller_has_is_not_sent_again() {
    let service = Service::start().await;
    let etag = send(&service, Method::GET, "/openapi.json", &[]).await.header("etag").expect("a tag").to_owned();
    for condition in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
        let answer = send(&service, Method::GET, "/openapi.json", &[("if-none-match", &condition)]).await;
        assert_eq!((answer.status, answer.text.as_str()), (304, ""), "{condition}");
        assert_eq!(answer.header("etag"), Some(etag.as_str()));
    }
    let answer = send(&service, Method::GET, "/openapi.json", &[("if-none-match", "\"other\"")]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn another_method_is_405_and_another_path_404() {
    let service = Service::start().await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = send(&service, method.clone(), "/docs", &[]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    for path in ["/docs/", "/docs/..%2fopenapi.json", "/docs/page.html", "/Docs", "/openapi.json/"] {
        assert_eq!(send(&service, Method::GET, path, &[]).await.status, 404, "{path}");
    }
    // As they are: an HTTP client would resolve the dots.
    for path in ["/docs/..", "/docs/../openapi.json", "/docs/%2e%2e/openapi.json", "/docs/../../etc/passwd"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(raw::send(service.running.http_addr, request.as_bytes()).await.status, 404, "{path}");
    }
    let answer = send(&service, Method::GET, "/docs", &[("host", "elsewhere.example")]).await;
    assert!(answer.status == 200 && !answer.text.contains("elsewhere"));
}

#[tokio::test]
async fn no_document_is_served_where_they_are_off() {
    let service = Service::start_with(&[("KIRA_DOCS", "false")]).await;
    for (path, _) in PATHS {
        let answer = send(&service, Method::GET, path, &[]).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("not_found")), "{path}");
    }
}

#[tokio::test]
async fn the_streams_of_openapi_3_2_have_schemas_of_their_items() {
    let service = Service::start().await;
    let document = send(&service, Method::GET, "/openapi-3.2.json", &[]).await.json();
    assert_eq!(document["openapi"], "3.2.0");
    let content = &document["paths"]["/v1/events:watch"]["get"]["responses"]["200"]["content"];
    for media_type in ["application/x-ndjson", "text/event-stream"] {
        let item = &content[media_type]["itemSchema"];
        assert_eq!(*item, json!({"$ref": "#/components/schemas/Event"}), "{media_type}");
    }
}

#[tokio::test]
async fn every_path_of_the_document_is_a_route() {
    let service = Service::start().await;
    let client = service.client().await;
    let document = send(&service, Method::GET, "/openapi.json", &[]).await.json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for verb in item.as_object().expect("an item").keys() {
            let method = Method::from_bytes(verb.to_uppercase().as_bytes()).expect("a method");
            let path = path.split('/').map(|part| match part.split_once('}') {
                Some((_, verb)) => format!("00000000-0000-4000-8000-000000000000{verb}"),
                None => part.to_owned(),
            });
            let path = path.collect::<Vec<_>>().join("/");
            // The answer of a stream ends with the service alone.
            if path.ends_with(":watch") {
                continue;
            }
            let answer = Answer::of(client.request(method, &path).send().await.expect("an answer")).await;
            let is_route = answer.status != 405 && !answer.text.contains("Route not found");
            assert!(is_route, "{verb} {path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn every_country_code_of_the_document_is_one() {
    let service = Service::start().await;
    let document = send(&service, Method::GET, "/openapi.json", &[]).await.json();
    let codes = document["components"]["schemas"]["CountryCode"]["enum"].as_array().expect("a list").clone();
    let codes: Vec<_> = codes.iter().filter_map(Value::as_str).collect();
    let mut known: Vec<_> = kira_users::contract::rules::countries().collect();
    known.sort_unstable();
    assert_eq!(codes, known);
}
