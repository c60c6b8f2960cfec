//! What an operator sees of the running program: traces, metrics, the log, the probes.

use std::collections::BTreeSet;

use kira_users::store::Engine;
use opentelemetry_proto::tonic::trace::v1::Span;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::harness::database::{TestDatabase, engine};
use crate::harness::program::{Program, Setup, wait_until_async};
use crate::harness::receiver::{Act, Receiver};
use crate::harness::requests::{minimal, with, with_files};
use crate::harness::service::{Answer, http_client};
use crate::program::collector::Collector;

/// The caller's trace, sampled, and the span that it calls from.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
/// Part of every personal value that is sent.
const MARK: &str = "zqjxkvwyq";

/// A running program, and a client of it.
struct Watched {
    program: Program,
    client: Value,
    token: String,
}

impl Watched {
    async fn start(setup: &Setup) -> Self {
        let client = setup.client();
        let program = setup.serve();
        let token = program.token(&client).await;
        Self { program, client, token }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.token).header("x-api-key", self.client["api_key"].as_str().expect("an API key"))
    }

    async fn post(&self, path: &str, key: Uuid, sampled: Option<bool>, body: &Value) -> Answer {
        let request = http_client().post(format!("http://{}{path}", self.program.rest())).json(body);
        let mut request = self.signed(request).header("idempotency-key", key.to_string());
        if let Some(sampled) = sampled {
            request = request.header("traceparent", format!("00-{TRACE}-{CALLER}-0{}", u8::from(sampled)));
        }
        Answer::of(request.send().await.expect("an answer")).await
    }

    async fn admin(&self, path: &str, accept: &str) -> Answer {
        let request = http_client().get(format!("http://{}{path}", self.program.admin())).header("accept", accept);
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// Stops the program, which exports its last telemetry.
    fn stop(mut self) -> String {
        self.program.terminate();
        assert!(self.program.ended().success());
        self.program.log.text()
    }
}

async fn exporting(protocol: &str) -> (Setup, Collector) {
    let collector = Collector::start().await;
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_OTLP_ENDPOINT", &collector.endpoint);
    setup.set("KIRA_OTLP_PROTOCOL", protocol);
    (setup, collector)
}

/// The spans of the caller's trace.
fn traced(collector: &Collector) -> Vec<Span> {
    collector.spans().into_iter().filter(|span| hex(&span.trace_id) == TRACE).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} among {names:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_reaches_from_the_request_over_store_worker_and_provider_to_the_webhook() {
    for protocol in ["grpc", "http"] {
        let (mut setup, collector) = exporting(protocol).await;
        let approved =
            Act::Answer(200, "content-type: application/json\r\n", json!({"status": "approved"}).to_string());
        let (vendor, receiver) = (Receiver::always(approved).await, Receiver::new().await);
        setup.set("KIRA_VERIFICATION_PROVIDER", "http");
        setup.set("KIRA_VENDOR_URL", &vendor.url());
        setup.set("KIRA_VENDOR_SECRET", "a secret of twenty-four bytes");
        setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
        let watched = Watched::start(&setup).await;
        let endpoint = json!({"url": receiver.url()});
        assert_eq!(watched.post("/v1/webhooks/endpoints", Uuid::new_v4(), None, &endpoint).await.status, 201);
        let body = with(with_files(), "/first_name", json!(MARK));
        assert_eq!(watched.post("/v1/users", Uuid::new_v4(), Some(true), &body).await.status, 201);
        // Created, VERIFYING, VERIFIED, accepted.
        receiver.wait_for(4).await;
        watched.stop();

        let of_trace = |headers: &std::collections::BTreeMap<String, String>| {
            headers.get("traceparent").is_some_and(|parent| parent.split('-').nth(1) == Some(TRACE))
        };
        assert!(receiver.arrived().iter().all(|arrived| of_trace(&arrived.headers)), "{protocol}");
        assert!(vendor.arrived().iter().all(|arrived| of_trace(&arrived.headers)), "{protocol}");
        let spans = traced(&collector);
        let request = named(&spans, "POST /v1/users");
        assert_eq!(hex(&request.parent_span_id), CALLER);
        assert_eq!(named(&spans, "create_user").parent_span_id, request.span_id);
        let verification = named(&spans, "verification");
        assert_eq!(verification.parent_span_id, request.span_id);
        assert_eq!(named(&spans, "provider").parent_span_id, verification.span_id);
        assert_eq!(spans.iter().filter(|span| span.name == "webhook").count(), 4);
        let known: BTreeSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
        assert!(spans.iter().all(|span| known.contains(&span.parent_span_id) || hex(&span.parent_span_id) == CALLER));
        let attributes: Vec<&str> = request.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        for expected in ["http.request.method", "http.route", "http.response.status_code", "user_id", "client_id"] {
            assert!(attributes.contains(&expected), "{expected} among {attributes:?}");
        }
        assert!(!collector.has_heard(MARK), "{protocol}: no personal data is exported");
        assert!(collector.has_heard("/v1/users"), "what is looked for would be found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_decision_about_sampling_stands_and_without_one_the_ratio_decides() {
    let (mut setup, collector) = exporting("grpc").await;
    setup.set("KIRA_TRACE_SAMPLE_RATIO", "0");
    setup.set("KIRA_WORKER", "false");
    let watched = Watched::start(&setup).await;
    for sampled in [None, Some(true), Some(false)] {
        assert_eq!(watched.post("/v1/users", Uuid::new_v4(), sampled, &minimal()).await.status, 201);
    }
    watched.stop();
    let requests = collector.spans().into_iter().filter(|span| span.name == "POST /v1/users").count();
    assert_eq!(requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_caller_who_is_not_trusted_decides_nothing_about_traces_and_names_none() {
    let (mut setup, collector) = exporting("grpc").await;
    setup.set("KIRA_TRACE_TRUST_REST", "false");
    setup.set("KIRA_WORKER", "false");
    let watched = Watched::start(&setup).await;
    assert_eq!(watched.post("/v1/users", Uuid::new_v4(), Some(true), &minimal()).await.status, 201);
    let web = http_client().post(format!("http://{}/kira.users.v1.UsersService/GetUser", watched.program.grpc()));
    let web =
        web.header("content-type", "application/grpc-web").header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    assert_eq!(web.body(vec![0; 5]).send().await.expect("an answer").status(), 200);
    let method = reqwest::Method::from_bytes(MARK.as_bytes()).expect("a method");
    let odd = http_client().request(method, format!("http://{}/v1/{MARK}", watched.program.rest()));
    assert_eq!(odd.send().await.expect("an answer").status(), 404);
    watched.stop();
    assert!(traced(&collector).is_empty(), "the caller's trace is not continued");
    let linked = |span: &Span| span.links.iter().any(|link| hex(&link.trace_id) == TRACE);
    assert!(linked(named(&collector.spans(), "POST /v1/users")));
    assert!(!collector.has_heard(MARK), "data of unauthenticated callers is not exported");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_cut_short_is_told_of_too() {
    let database = TestDatabase::migrated().await;
    let mut setup = Setup::on(database);
    setup.set("KIRA_WORKER", "false");
    let watched = Watched::start(&setup).await;
    let body = with_files().to_string();
    let request = format!(
        "POST /v1/users HTTP/1.1\r\nhost: kira\r\nauthorization: Bearer {}\r\nx-api-key: {}\r\ncontent-type: \
         application/json\r\nidempotency-key: {}\r\ncontent-length: {}\r\n\r\n",
        watched.token,
        watched.client["api_key"].as_str().expect("an API key"),
        Uuid::new_v4(),
        body.len()
    );
    let mut caller = tokio::net::TcpStream::connect(watched.program.rest()).await.expect("the listener");
    caller.write_all(request.as_bytes()).await.expect("is written");
    caller.write_all(&body.as_bytes()[..10]).await.expect("is written");
    let under_way = async || {
        let page = watched.admin("/metrics", "text/plain").await.text;
        page.contains("kira_requests_in_flight{protocol=\"rest\"} 1").then_some(())
    };
    wait_until_async(under_way, "the request").await;
    drop(caller);
    let reported = async || {
        let page = watched.admin("/metrics", "text/plain").await.text;
        page.lines()
            .any(|line| line.contains("outcome=\"abandoned\"") || line.contains("outcome=\"client_error\""))
            .then_some(page)
    };
    let page = wait_until_async(reported, "the metrics of the outcome").await;
    assert!(page.contains("call=\"UsersService/CreateUser\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_sent_too_where_that_is_asked_for() {
    let (mut setup, collector) = exporting("http").await;
    setup.set("KIRA_OTLP_METRICS", "true");
    let watched = Watched::start(&setup).await;
    watched.stop();
    let metrics = collector.metrics();
    for expected in ["kira.request.duration", "kira.build_info", "db.client.operation.duration"] {
        assert!(metrics.iter().any(|name| name == expected), "{expected} among {metrics:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_calls_outcomes_repetitions_and_queues_and_show_a_trace_beside_its_latency() {
    let (mut setup, _collector) = exporting("grpc").await;
    setup.set("KIRA_WORKER", "false");
    let watched = Watched::start(&setup).await;
    let key = Uuid::new_v4();
    let (body, other) = (with(with_files(), "/first_name", json!(MARK)), minimal());
    for (expected, body) in [(201, &body), (200, &body), (409, &other)] {
        assert_eq!(watched.post("/v1/users", key, Some(true), body).await.status, expected);
    }
    let page = watched.admin("/metrics", "text/plain").await.text;
    let created = "call=\"UsersService/CreateUser\",code=\"201\",outcome=\"success\",protocol=\"rest\"";
    for expected in [
        &format!("kira_request_duration_seconds_count{{{created}}} 1"),
        "kira_idempotent_requests_total{result=\"created\"} 1",
        "kira_idempotent_requests_total{result=\"replayed\"} 1",
        "kira_idempotent_requests_total{result=\"conflict\"} 1",
        "kira_requests_in_flight{protocol=\"rest\"} 0",
        "kira_build_info{version=",
        "kira_queue_depth{queue=\"verifications\"} ",
        "kira_database_connections{state=\"used\"}",
        "db_client_operation_duration_seconds_count{db_collection_name=\"users\",db_operation_name=\"BATCH INSERT\"} 1",
        "process_resident_memory_bytes",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(!page.contains(MARK));

    let answer = watched.admin("/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    let page = answer.text;
    let exemplar = format!(" # {{trace_id=\"{TRACE}\"}} ");
    assert!(page.lines().any(|line| line.contains(created) && line.contains(&exemplar)), "{page}");
    assert!(page.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_measured_is_not_shown() {
    let mut setup = Setup::on(TestDatabase::migrated().await);
    setup.set("KIRA_METRICS", "false");
    let watched = Watched::start(&setup).await;
    assert_eq!(watched.admin("/metrics", "*/*").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_of_the_log_tells_a_whole_request() {
    let setup = Setup::on(TestDatabase::migrated().await);
    let watched = Watched::start(&setup).await;
    let created = watched.post("/v1/users", Uuid::new_v4(), Some(true), &minimal()).await.json();
    assert_eq!(watched.post("/v1/users", Uuid::new_v4(), Some(true), &json!({"type": MARK})).await.status, 400);
    let client = watched.client["client_id"].clone();
    let log = watched.stop();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["call"] == "UsersService/CreateUser").collect();
    let [good, bad] = lines[..] else { panic!("{log}") };
    assert_eq!(
        (&good["method"], &good["route"], &good["status"], &good["reason"]),
        (&json!("POST"), &json!("/v1/users"), &json!(201), &Value::Null)
    );
    let span = &good["span"];
    assert_eq!((&span["trace_id"], &span["user_id"]), (&json!(TRACE), &created["id"]));
    assert_eq!((&span["client_id"], &span["protocol"]), (&client, &json!("rest")));
    assert!(span["request_id"].is_string() && good["duration_us"].is_u64() && good["bytes"].is_u64());
    assert_eq!((&bad["status"], &bad["reason"]), (&json!(400), &json!("invalid_request")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_told_of_when_it_ends_too() {
    let setup = Setup::on(TestDatabase::migrated().await);
    let watched = Watched::start(&setup).await;
    let request = http_client().get(format!("http://{}/v1/events:watch", watched.program.rest()));
    let stream = watched.signed(request).send().await.expect("an answer");
    assert_eq!(stream.status(), 200);
    drop(stream);
    let ended = async || watched.program.log.find("stream ended");
    let line = wait_until_async(ended, "the end of the stream").await;
    assert_eq!((&line["call"], &line["ended_by"]), (&json!("EventsService/WatchEvents"), &json!("client")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_is_over_once_the_service_was_ready() {
    let database = TestDatabase::empty().await;
    let setup = Setup::on(database);
    let program = setup.start();
    let ask = async || {
        let answer = http_client().get(format!("http://{}/startupz", program.admin())).send().await.expect("an answer");
        Answer::of(answer).await
    };
    // The embedded form brings its own schema.
    if engine() == Engine::Postgres {
        let waiting = async || {
            let body = ask().await.json();
            Some(body).filter(|body| body["reason"].as_str().is_some_and(|reason| reason.contains("migrat")))
        };
        assert_eq!(wait_until_async(waiting, "what the start waits for").await["status"], "starting");
        setup.printed(&["migrate"]);
    }
    let started = async || (ask().await.status == 200).then_some(());
    wait_until_async(started, "the end of the start").await;
}
