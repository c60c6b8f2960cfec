//! A collector of telemetry: takes OTLP over gRPC and over HTTP, and keeps what arrives.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::net::TcpListener;

/// What has arrived.
#[derive(Default)]
struct Arrived {
    spans: Vec<Span>,
    metrics: Vec<String>,
    bytes: Vec<u8>,
}

/// A collector on this machine.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    arrived: Arc<Mutex<Arrived>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let collector = Self { endpoint, arrived: Arc::default() };
        let serving = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let collector = serving.clone();
                let service = service_fn(move |request| {
                    let collector = collector.clone();
                    async move { Ok::<_, Infallible>(collector.take(request).await) }
                });
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // The program that is tested ends its connections as it likes.
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        collector
    }

    async fn take(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let is_grpc = path.ends_with("/Export");
        // A gRPC message has a flag and its length before it.
        let message = if is_grpc { body.slice(5..) } else { body };
        let mut arrived = self.arrived.lock();
        arrived.bytes.extend_from_slice(&message);
        if path.contains("TraceService") || path == "/v1/traces" {
            let request = ExportTraceServiceRequest::decode(message).expect("traces");
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            arrived.spans.extend(scopes.flat_map(|scope| scope.spans));
        } else {
            assert!(path.contains("MetricsService") || path == "/v1/metrics", "{path}");
            let request = ExportMetricsServiceRequest::decode(message).expect("metrics");
            let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
            arrived.metrics.extend(scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name));
        }
        let response = Response::builder();
        let response = match is_grpc {
            true => response.header("content-type", "application/grpc").header("grpc-status", "0"),
            false => response.header("content-type", "application/x-protobuf"),
        };
        response.body(Full::default()).expect("a response")
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.arrived.lock().spans.clone()
    }

    /// The names of the metrics.
    pub(crate) fn metrics(&self) -> Vec<String> {
        self.arrived.lock().metrics.clone()
    }

    /// Whether anything that has arrived contains a text.
    pub(crate) fn has_heard(&self, text: &str) -> bool {
        let arrived = self.arrived.lock();
        arrived.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}
