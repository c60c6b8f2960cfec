//! The OTLP exporters of traces and metrics, over gRPC or HTTP.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use tokio::runtime::Handle;
use tonic::transport::ClientTlsConfig;

use super::TelemetryError;
use crate::config::{OtlpConfig, OtlpProtocol};

/// How long a collector may take for one batch.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The resource; `OTEL_RESOURCE_ATTRIBUTES` adds to it, such as the name of the pod.
pub(super) fn resource() -> Resource {
    Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Sends spans to the collector. It needs the context of a Tokio runtime, which does the sending.
pub(super) fn spans(otlp: &OtlpConfig) -> Result<SpanExporter, TelemetryError> {
    Ok(match otlp.protocol {
        OtlpProtocol::Grpc => over_grpc(SpanExporter::builder().with_tonic(), otlp).build()?,
        OtlpProtocol::Http => over_http(SpanExporter::builder().with_http(), otlp, "v1/traces")?.build()?,
    })
}

/// Sends metrics to the collector. It needs the context of a Tokio runtime, which does the sending.
pub(super) fn metrics(otlp: &OtlpConfig) -> Result<MetricExporter, TelemetryError> {
    Ok(match otlp.protocol {
        OtlpProtocol::Grpc => over_grpc(MetricExporter::builder().with_tonic(), otlp).build()?,
        OtlpProtocol::Http => over_http(MetricExporter::builder().with_http(), otlp, "v1/metrics")?.build()?,
    })
}

/// Over gRPC the service name separates the signals. An https endpoint is verified by the system's root certificates.
fn over_grpc<B: WithExportConfig + WithTonicConfig>(builder: B, otlp: &OtlpConfig) -> B {
    let tls = ClientTlsConfig::new().with_native_roots();
    builder.with_timeout(TIMEOUT).with_tls_config(tls).with_endpoint(otlp.endpoint.as_str())
}

/// Over HTTP each signal has its own path below the endpoint.
fn over_http<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    otlp: &OtlpConfig,
    path: &str,
) -> Result<B, TelemetryError> {
    let endpoint = format!("{}/{path}", otlp.endpoint.as_str().trim_end_matches('/'));
    let builder = builder.with_protocol(Protocol::HttpBinary).with_http_client(RuntimeClient::new()?);
    Ok(builder.with_timeout(TIMEOUT).with_endpoint(endpoint))
}

/// An HTTP client for the SDK's threads, which have no runtime: requests run in the runtime of the service.
struct RuntimeClient {
    runtime: Handle,
    client: reqwest::Client,
}

impl RuntimeClient {
    fn new() -> Result<Self, TelemetryError> {
        // Fails if the provider is installed already; it is always this one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
        Ok(Self { runtime: Handle::current(), client: client? })
    }
}

impl fmt::Debug for RuntimeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeClient").finish_non_exhaustive()
    }
}

impl HttpClient for RuntimeClient {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let (head, body) = request.into_parts();
            let url = head.uri.to_string();
            let answer = client.request(head.method, url).headers(head.headers).body(body).send().await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut response = Response::new(answer.bytes().await?);
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            Ok::<_, reqwest::Error>(response)
        });
        Box::pin(async move { Ok(sending.await??) })
    }
}
