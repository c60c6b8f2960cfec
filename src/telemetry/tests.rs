use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::config::OtlpProtocol;

/// What was written, for the test to read.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("is not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("is not poisoned").clone()).expect("is text")
    }
}

fn config(log: &str, log_format: LogFormat) -> TelemetryConfig {
    TelemetryConfig { log: log.to_owned(), log_format, metrics: false, trust_rest: true, otlp: None }
}

#[test]
fn a_json_log_has_one_object_a_line_with_the_fields_of_the_event() {
    let written = Written::default();
    let writer = written.clone();
    let log = subscriber(&config("info", LogFormat::Json), None, move || writer.clone()).expect("is valid");
    tracing::subscriber::with_default(log, || {
        tracing::info!(answer = 42, "first");
        tracing::debug!("is filtered out");
        tracing::warn!("second");
    });
    let lines: Vec<serde_json::Value> =
        written.text().lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["message"], &lines[0]["answer"], &lines[0]["level"]),
        (&"first".into(), &42.into(), &"INFO".into())
    );
}

#[test]
fn a_line_shows_the_fields_of_its_span_also_those_that_came_later_and_text_stays_text() {
    let written = Written::default();
    let writer = written.clone();
    let log = subscriber(&config("info", LogFormat::Json), None, move || writer.clone()).expect("is valid");
    tracing::subscriber::with_default(log, || {
        let span = tracing::info_span!("work", otel.kind = "server", early = 1, late = tracing::field::Empty);
        let _entered = span.enter();
        span.record("late", "a \"quoted\" \\ text\n\u{1}");
        tracing::info!(ratio = 0.5, yes = true, text = %"über", none = Option::<u64>::None, "within");
    });
    let line: serde_json::Value = serde_json::from_str(&written.text()).expect("is JSON");
    let span = serde_json::json!({"name": "work", "early": 1, "late": "a \"quoted\" \\ text\n\u{1}"});
    assert_eq!(line["span"], span);
    assert_eq!((&line["ratio"], &line["yes"], &line["text"]), (&0.5.into(), &true.into(), &"über".into()));
    assert!(line.get("none").is_none() && line["timestamp"].is_string());
}

#[test]
fn a_pretty_log_is_for_people() {
    let written = Written::default();
    let writer = written.clone();
    let log = subscriber(&config("info", LogFormat::Pretty), None, move || writer.clone()).expect("is valid");
    tracing::subscriber::with_default(log, || tracing::info!("hello"));
    assert!(written.text().contains("hello") && !written.text().starts_with('{'));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_reach_the_endpoint_before_the_guard_is_gone_whatever_is_logged() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let endpoint = format!("http://{}", listener.local_addr().expect("is bound"));
    let (sender, mut received) = mpsc::unbounded_channel::<(String, Vec<u8>)>();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let sender = sender.clone();
                async move {
                    let path = request.uri().path().to_owned();
                    let body = request.into_body().collect().await.expect("arrives").to_bytes().to_vec();
                    drop(sender.send((path, body)));
                    let answer = http::Response::builder()
                        .header("content-type", "application/grpc")
                        .header("grpc-status", "0")
                        .body(Full::<bytes::Bytes>::default());
                    Ok::<_, Infallible>(answer.expect("is a response"))
                }
            });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });

    let endpoint = endpoint.parse().expect("is a URL");
    let otlp = OtlpConfig { endpoint, protocol: OtlpProtocol::Grpc, metrics: false, sample_ratio: 1.0 };
    let traces = provider(&otlp).expect("is an endpoint");
    let log = subscriber(&config("off", LogFormat::Json), Some(&traces), std::io::sink).expect("is valid");
    tracing::subscriber::with_default(log, || tracing::info_span!("the work").in_scope(|| ()));
    let guard = TelemetryGuard { traces: Some(traces) };
    tokio::task::spawn_blocking(move || drop(guard)).await.expect("does not panic");

    let (path, body) = received.try_recv().expect("something was sent");
    assert_eq!(path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let holds = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("the work") && holds("service.name") && holds("kira-users") && holds("service.version"));
}
