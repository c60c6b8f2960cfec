//! REST calls over bindings written by hand: what the generator writes, without the generator.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kira_gateway::check::{Check, Checker};
use kira_gateway::error::{ErrorReason, status};
use kira_gateway::json;
use kira_gateway::problem::{Path, Problems, Step};
use kira_gateway::rest::{Binding, Route, Variable, push_segment};
use kira_gateway::{Access, Checked, Gateway, Method};
use tonic::body::Body;
use tonic::{Code, Status};

static SAVE: Method = Method {
    service: "notes.v1.Notes",
    name: "Save",
    grpc_path: "/notes.v1.Notes/Save",
    success_code: 201,
    replay_code: 200,
    location: Some("/notes/{id}"),
    access: Access::Client,
    permission: None,
    max_age: None,
    server_streaming: false,
};
static GET: Method =
    Method { name: "Get", grpc_path: "/notes.v1.Notes/Get", success_code: 200, max_age: Some(60), ..SAVE };
static WATCH: Method =
    Method { name: "Watch", grpc_path: "/notes.v1.Notes/Watch", success_code: 200, server_streaming: true, ..SAVE };

#[derive(Clone, Debug, Default, PartialEq)]
struct Note {
    id: String,
    text: String,
    tags: Vec<String>,
    key: Option<String>,
}

impl Check for Note {
    fn check(&self, cx: &mut Checker) {
        if self.text == "bad" {
            cx.enter(2, "text");
            cx.problem("custom", "Must be good");
            cx.leave();
        }
    }
    fn clear_output_only(&mut self) {}
    fn drop_empty(&mut self) {}
}

fn read(body: &[u8]) -> json::Body<Note> {
    let mut read = json::Body::<Note>::default();
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    for (key, value) in value.as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default().to_owned();
        match key.as_str() {
            "id" => read.message.id = text,
            "text" => read.message.text = text,
            other => read.unknown.push(Path::key(Step::UNKNOWN, other.to_owned())),
        }
    }
    read
}

fn set(note: &mut Note, path: &str, value: &str, problems: &mut Problems) -> bool {
    match path {
        "id" => note.id = value.to_owned(),
        "text" if value.is_empty() => problems.push(Path::key(2, "text"), "too_small", "Too short"),
        "text" => note.text = value.to_owned(),
        "tags" => note.tags.push(value.to_owned()),
        _ => return false,
    }
    true
}

fn write(note: &Note) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({"id": note.id, "text": note.text, "tags": note.tags})).expect("JSON")
}

fn binding(method: &'static Method, verb: &'static str, template: &'static str) -> Binding<Note, Note> {
    Binding {
        method,
        verb,
        template,
        variables: vec![Variable {
            name: "id",
            slot: 1,
            is_set: |note: &Note| !note.id.is_empty(),
            is_same: |note: &Note, other: &Note| note.id == other.id,
        }],
        body: (verb == "PUT").then_some(read),
        late: false,
        set,
        query: verb == "GET",
        lists: &["tags"],
        closed: &["key"],
        headers: &["idempotency-key"],
        write,
        location: |note| {
            let mut path = "/notes".to_owned();
            push_segment(&mut path, &note.id)?;
            Some(path)
        },
        event_id: |note| (!note.id.is_empty()).then(|| note.id.clone()),
        page: |_| None,
    }
}

/// What the service does: echo, or as the text says.
fn answer(request: tonic::Request<Note>) -> Result<tonic::Response<Note>, Status> {
    let (metadata, extensions, mut note) = request.into_parts();
    if note.text == "missing" {
        return Err(status(ErrorReason::NotFound, "Note not found"));
    }
    note.tags.extend(metadata.get("cookie").map(|_| "a cookie".to_owned()));
    note.tags.extend(extensions.get::<&str>().map(|caller| (*caller).to_owned()));
    note.tags.extend(note.key.take());
    let replayed = note.text == "again";
    let mut response = tonic::Response::new(note);
    if replayed {
        response.metadata_mut().insert("idempotent-replayed", "true".parse().expect("a value"));
    }
    response.metadata_mut().insert("etag", "\"1\"".parse().expect("a value"));
    response.metadata_mut().insert("x-inside", "1".parse().expect("a value"));
    Ok(response)
}

fn watch(request: tonic::Request<Note>) -> Vec<Result<Note, Status>> {
    let item = |id: &str| Ok(Note { id: id.to_owned(), ..Note::default() });
    match request.get_ref().text.as_str() {
        "none" => vec![],
        "missing" => vec![Err(status(ErrorReason::NotFound, "Note not found")), item("never")],
        "broken" => vec![item("1"), Err(Status::internal("inside")), item("never")],
        _ => vec![item("1"), item("2")],
    }
}

fn gateway() -> Gateway {
    let clock: kira_gateway::Clock = Arc::new(|| DateTime::<Utc>::UNIX_EPOCH);
    let checked = Arc::new(Checked::new((), clock));
    let call = move |mut request: tonic::Request<Note>| {
        let accepted = checked.accept(&mut request, |note, headers| headers.bind("idempotency-key", &mut note.key));
        let answer = accepted.and_then(|()| answer(request));
        Box::pin(std::future::ready(answer)) as kira_gateway::rest::ServiceFuture<Note>
    };
    let stream = |request: tonic::Request<Note>| {
        let items = tokio_stream::iter(watch(request));
        Box::pin(std::future::ready(Ok(tonic::Response::new(items)))) as kira_gateway::rest::ServiceFuture<_>
    };
    let routes = [
        Route::unary(binding(&SAVE, "PUT", "/notes/{id}"), call.clone()),
        Route::unary(binding(&GET, "GET", "/notes/{id}"), call),
        Route::server_streaming(binding(&WATCH, "GET", "/notes/{id}:watch"), stream),
    ];
    Gateway::builder().routes(routes).build().expect("routes")
}

async fn send(request: Request<Full<Bytes>>) -> Response<Body> {
    let gateway = gateway();
    match gateway.find(request.method(), request.uri()) {
        Ok(matched) => gateway.call(matched, request).await,
        Err(status) => kira_gateway::error::rest_response(&status),
    }
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(body.into()).expect("UTF-8")
}

async fn json_of(response: Response<Body>) -> (u16, serde_json::Value) {
    let code = response.status().as_u16();
    (code, serde_json::from_str(&text(response).await).expect("JSON"))
}

fn put(path: &str) -> http::request::Builder {
    Request::put(path).header("content-type", "application/json")
}

async fn save(path: &str, body: &'static str) -> Response<Body> {
    send(put(path).body(Full::from(body)).expect("a request")).await
}

async fn get(path: &str) -> Response<Body> {
    send(Request::get(path).body(Full::default()).expect("a request")).await
}

fn problem(path: &str, code: &str, message: &str) -> serde_json::Value {
    serde_json::json!({"error": "Invalid request data", "details": [{"path": path, "message": message, "code": code}]})
}

#[tokio::test]
async fn body_and_path_fill_one_message() {
    let response = save("/notes/a%2Fb", r#"{"text":"hello"}"#).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], "/notes/a%2Fb");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(text(response).await, r#"{"id":"a/b","tags":[],"text":"hello"}"#);
}

#[tokio::test]
async fn a_replay_has_its_own_code_and_no_location() {
    let response = save("/notes/1", r#"{"text":"again"}"#).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["idempotent-replayed"], "true");
    assert!(!response.headers().contains_key("location"));
}

#[tokio::test]
async fn only_listed_headers_go_out() {
    let response = get("/notes/1").await;
    assert_eq!(response.headers()["etag"], "\"1\"");
    assert!(!response.headers().contains_key("x-inside"));
    assert_eq!(response.headers()["cache-control"], "public, max-age=60");
}

#[tokio::test]
async fn a_header_is_a_field() {
    let request = put("/notes/1").header("idempotency-key", "k1").header("cookie", "c");
    let (_, body) = json_of(send(request.body(Full::from("{}")).expect("a request")).await).await;
    assert_eq!(body["tags"], serde_json::json!(["k1"]));
}

#[tokio::test]
async fn what_a_layer_notes_reaches_the_service() {
    let request = Request::get("/notes/1").extension("client 7").body(Full::default()).expect("a request");
    assert_eq!(json_of(send(request).await).await.1["tags"], serde_json::json!(["client 7"]));
}

#[tokio::test]
async fn a_header_may_be_repeated() {
    let request = put("/notes/1").header("idempotency-key", "k1").header("idempotency-key", "k1");
    let (_, body) = json_of(send(request.body(Full::from("{}")).expect("a request")).await).await;
    assert_eq!(body["tags"], serde_json::json!(["k1"]));
}

#[tokio::test]
async fn a_header_with_two_values_is_a_problem() {
    let request = put("/notes/1").header("idempotency-key", "k1").header("idempotency-key", "K1");
    let answer = json_of(send(request.body(Full::from("{}")).expect("a request")).await).await;
    assert_eq!(answer, (400, problem("idempotency-key", "custom", "Must be given once")));
}

#[tokio::test]
async fn a_field_in_path_and_body_has_one_value() {
    assert_eq!(save("/notes/1", r#"{"id":"1"}"#).await.status(), 201);
    let answer = json_of(save("/notes/1", r#"{"id":"2"}"#).await).await;
    assert_eq!(answer, (400, problem("id", "custom", "Must be the same as in the path")));
}

#[tokio::test]
async fn a_field_in_path_and_query_is_a_problem() {
    let answer = json_of(get("/notes/1?id=1").await).await;
    assert_eq!(answer, (400, problem("id", "custom", "Must be given once")));
}

#[tokio::test]
async fn a_query_fills_fields_and_lists() {
    let (code, body) = json_of(get("/notes/1?tags=x&tags=y+z&text=t").await).await;
    assert_eq!((code, body), (200, serde_json::json!({"id": "1", "tags": ["x", "y z"], "text": "t"})));
}

#[tokio::test]
async fn a_single_field_twice_in_a_query_is_a_problem() {
    let answer = json_of(get("/notes/1?text=a&text=b").await).await;
    assert_eq!(answer, (400, problem("text", "custom", "Must be given once")));
}

#[tokio::test]
async fn an_unknown_parameter_is_a_problem() {
    for (path, name) in [("/notes/1?limit=1", "limit"), ("/notes/1?key=1", "key"), ("/notes/1?a.b=1", "a.b")] {
        let answer = json_of(get(path).await).await;
        assert_eq!(answer, (400, problem(name, "unrecognized_keys", &format!("Unrecognized key(s): '{name}'"))));
    }
}

#[tokio::test]
async fn a_query_beside_a_whole_body_is_a_problem() {
    let answer = json_of(save("/notes/1?text=x", "{}").await).await;
    assert_eq!(answer, (400, problem("text", "unrecognized_keys", "Unrecognized key(s): 'text'")));
}

#[tokio::test]
async fn unknown_keys_of_a_body_are_warnings() {
    let (code, body) = json_of(save("/notes/1", r#"{"colour":1}"#).await).await;
    assert_eq!(code, 201);
    let message = "Unrecognized key(s) in object: 'colour'";
    let expected = serde_json::json!([{"path": "colour", "message": message, "code": "unrecognized_keys"}]);
    assert_eq!(body["warnings"], expected);
}

#[tokio::test]
async fn unknown_keys_are_problems_where_the_caller_is_strict() {
    let request = put("/notes/1").header("prefer", "handling=strict").body(Full::from(r#"{"colour":1}"#));
    let answer = json_of(send(request.expect("a request")).await).await;
    assert_eq!(answer, (400, problem("colour", "unrecognized_keys", "Unrecognized key(s) in object: 'colour'")));
}

#[tokio::test]
async fn problems_of_form_and_of_rules_are_told_together() {
    let (_, body) = json_of(save("/notes/1", r#"{"id":"2","text":"bad"}"#).await).await;
    let paths: Vec<_> = body["details"].as_array().expect("a list").iter().map(|one| one["path"].clone()).collect();
    assert_eq!(paths, ["id", "text"]);
}

#[tokio::test]
async fn a_failure_of_the_service_is_the_answer() {
    let answer = json_of(get("/notes/1?text=missing").await).await;
    assert_eq!(answer, (404, serde_json::json!({"code": "not_found", "message": "Note not found"})));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_unread() {
    let request = Request::put("/notes/1").header("content-type", "text/plain").body(Full::from("{}"));
    let (code, body) = json_of(send(request.expect("a request")).await).await;
    assert_eq!((code, &body["code"]), (415, &"unsupported_media_type".into()));
}

#[tokio::test]
async fn a_large_body_is_read_away_from_the_threads_that_answer() {
    fn this_thread() -> String {
        format!("{:?}", std::thread::current().id())
    }
    let read = |_: &[u8]| json::Body { message: Note { text: this_thread(), ..Note::default() }, ..Default::default() };
    let binding = Binding { body: Some(read), ..binding(&SAVE, "PUT", "/notes/{id}") };
    let call = |request| Box::pin(std::future::ready(answer(request))) as kira_gateway::rest::ServiceFuture<Note>;
    let gateway = Gateway::builder().routes([Route::unary(binding, call)]).build().expect("a route");
    for (size, is_read_here) in [(1024, true), (256 * 1024, false)] {
        let request = put("/notes/7").body(Full::from(vec![b' '; size])).expect("a request");
        let matched = gateway.find(request.method(), request.uri()).expect("the route");
        let (_, note) = json_of(gateway.call(matched, request).await).await;
        assert_eq!(note["text"] == this_thread(), is_read_here, "{size}");
    }
}

#[tokio::test]
async fn a_body_without_use_is_not_looked_at() {
    let request = Request::get("/notes/1").header("content-type", "text/plain").body(Full::from("?"));
    assert_eq!(send(request.expect("a request")).await.status(), 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let (code, body) = json_of(get("/nothing").await).await;
    assert_eq!((code, body), (404, serde_json::json!({"code": "not_found", "message": "Route not found"})));
    let response = send(Request::delete("/notes/1").body(Full::default()).expect("a request")).await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD, PUT");
}

#[tokio::test]
async fn a_path_that_does_not_decode_is_a_bad_request() {
    assert_eq!(get("/notes/%ff").await.status(), 400);
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let response = send(Request::head("/notes/1").body(Full::default()).expect("a request")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-length"], text(get("/notes/1").await).await.len().to_string().as_str());
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_stream_is_lines() {
    let response = get("/notes/1:watch").await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let line = |id: &str| format!("{{\"id\":\"{id}\",\"tags\":[],\"text\":\"\"}}\n");
    assert_eq!(text(response).await, line("1") + &line("2"));
}

#[tokio::test]
async fn a_stream_is_events_where_the_caller_wants_them() {
    let request = Request::get("/notes/1:watch?text=broken").header("accept", "text/event-stream");
    let response = send(request.body(Full::default()).expect("a request")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let expected = concat!(
        "id: 1\ndata: {\"id\":\"1\",\"tags\":[],\"text\":\"\"}\n\n",
        "event: error\n",
        "data: {\"code\":\"internal_error\",\"message\":\"An unexpected error occurred\"}\n\n",
    );
    assert_eq!(text(response).await, expected);
}

#[tokio::test]
async fn an_error_before_the_first_item_is_the_answer() {
    assert_eq!(get("/notes/1:watch?text=missing").await.status(), 404);
}

#[tokio::test]
async fn a_later_error_is_the_last_line() {
    let lines = text(get("/notes/1:watch?text=broken").await).await;
    let last = lines.lines().last().expect("a line").to_owned();
    assert_eq!(lines.lines().count(), 2);
    assert_eq!(last, r#"{"code":"internal_error","message":"An unexpected error occurred"}"#);
}

#[tokio::test]
async fn a_stream_may_be_empty() {
    let response = get("/notes/1:watch?text=none").await;
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, "");
}

/// A gateway with a stream whose items the test sends.
fn waiting_stream() -> (tokio::sync::mpsc::Sender<Result<Note, Status>>, Gateway) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let items = std::sync::Mutex::new(Some(tokio_stream::wrappers::ReceiverStream::new(receiver)));
    let call = move |_| {
        let items = items.lock().expect("no panic").take().expect("one call");
        Box::pin(std::future::ready(Ok(tonic::Response::new(items)))) as kira_gateway::rest::ServiceFuture<_>
    };
    let route = Route::server_streaming(binding(&WATCH, "GET", "/notes/{id}"), call);
    (sender, Gateway::builder().routes([route]).build().expect("routes"))
}

async fn begin(gateway: &Gateway, accept: &str) -> http::Response<tonic::body::Body> {
    let request = Request::get("/notes/1").header("accept", accept).body(Full::<Bytes>::default()).expect("a request");
    let matched = gateway.find(request.method(), request.uri()).expect("a route");
    gateway.call(matched, request).await
}

async fn next(response: &mut http::Response<tonic::body::Body>) -> String {
    let frame = response.body_mut().frame().await.expect("no end").expect("no error");
    String::from_utf8(frame.into_data().expect("data").to_vec()).expect("a text")
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_stream() {
    let (sender, gateway) = waiting_stream();
    sender.send(Ok(Note::default())).await.expect("a listener");
    let response = begin(&gateway, "*/*").await;
    assert!(!sender.is_closed());
    drop(response);
    assert!(sender.is_closed());
}

#[tokio::test]
async fn a_stream_is_answered_before_its_first_item() {
    let (sender, gateway) = waiting_stream();
    let mut response = begin(&gateway, "*/*").await;
    assert_eq!(response.status(), 200);
    sender.send(Ok(Note::default())).await.expect("a listener");
    assert_eq!(next(&mut response).await, "{\"id\":\"\",\"tags\":[],\"text\":\"\"}\n");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_of_events_shows_that_it_lives() {
    let (sender, gateway) = waiting_stream();
    let mut response = begin(&gateway, "text/event-stream").await;
    let begun = tokio::time::Instant::now();
    assert_eq!((next(&mut response).await.as_str(), next(&mut response).await.as_str()), (":\n\n", ":\n\n"));
    assert_eq!(begun.elapsed().as_secs(), 30);
    sender.send(Ok(Note { id: "7".to_owned(), ..Note::default() })).await.expect("a listener");
    assert!(next(&mut response).await.starts_with("id: 7\ndata: {"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_of_lines_shows_that_it_lives() {
    let (sender, gateway) = waiting_stream();
    let mut response = begin(&gateway, "*/*").await;
    let begun = tokio::time::Instant::now();
    assert_eq!((next(&mut response).await.as_str(), next(&mut response).await.as_str()), ("\n", "\n"));
    assert_eq!(begun.elapsed().as_secs(), 30);
    sender.send(Ok(Note::default())).await.expect("a listener");
    assert_eq!(next(&mut response).await, "{\"id\":\"\",\"tags\":[],\"text\":\"\"}\n");
}

#[test]
fn a_stream_that_is_cut_off_says_why_in_its_own_form() {
    let last = |media_type: &'static str| {
        let headers = http::HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(media_type))]);
        kira_gateway::rest::last_record(&headers, &status(ErrorReason::Unavailable, "Gone"))
    };
    let json = r#"{"code":"unavailable","message":"Gone"}"#;
    assert_eq!(last("application/x-ndjson").expect("a line"), format!("{json}\n"));
    assert_eq!(last("text/event-stream").expect("an event"), format!("event: error\ndata: {json}\n\n"));
    assert_eq!(last("application/json"), None);
}

#[test]
fn a_matched_request_has_its_policy() {
    let matched = gateway().find(&http::Method::GET, &"/notes/1:watch".parse().expect("a path")).expect("a route");
    assert_eq!(matched.method(), &WATCH);
    let error = gateway().find(&http::Method::GET, &"/".parse().expect("a path")).expect_err("no route");
    assert_eq!(error.code(), Code::NotFound);
}
