//! What leaves by OTLP: the exporters of traces and metrics, over gRPC or HTTP.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use tokio::runtime::Handle;
use tonic::transport::ClientTlsConfig;

use super::TelemetryError;
use crate::config::{OtlpConfig, OtlpProtocol};

/// How long a collector may take for one batch.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Who reports. `OTEL_RESOURCE_ATTRIBUTES` adds to it, such as the name of the pod.
pub(super) fn resource() -> Resource {
    Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Sends spans to the collector. It needs the context of a Tokio runtime, which does the sending.
pub(super) fn spans(otlp: &OtlpConfig) -> Result<SpanExporter, TelemetryError> {
    let endpoint = endpoint_of(otlp, "v1/traces");
    Ok(match otlp.protocol {
        OtlpProtocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_timeout(TIMEOUT)
            .with_tls_config(tls())
            .with_endpoint(endpoint)
            .build()?,
        OtlpProtocol::Http => SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(OnRuntime::new()?)
            .with_timeout(TIMEOUT)
            .with_endpoint(endpoint)
            .build()?,
    })
}

/// Sends metrics to the collector. It needs the context of a Tokio runtime, which does the sending.
pub(super) fn metrics(otlp: &OtlpConfig) -> Result<MetricExporter, TelemetryError> {
    let endpoint = endpoint_of(otlp, "v1/metrics");
    Ok(match otlp.protocol {
        OtlpProtocol::Grpc => MetricExporter::builder()
            .with_tonic()
            .with_timeout(TIMEOUT)
            .with_tls_config(tls())
            .with_endpoint(endpoint)
            .build()?,
        OtlpProtocol::Http => MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(OnRuntime::new()?)
            .with_timeout(TIMEOUT)
            .with_endpoint(endpoint)
            .build()?,
    })
}

/// Over HTTP each signal has a path of its own below the endpoint; over gRPC the service's name tells them apart.
fn endpoint_of(otlp: &OtlpConfig, signal: &str) -> String {
    let endpoint = otlp.endpoint.as_str().trim_end_matches('/');
    match otlp.protocol {
        OtlpProtocol::Grpc => endpoint.to_owned(),
        OtlpProtocol::Http => format!("{endpoint}/{signal}"),
    }
}

/// Used where the endpoint is https: the certificate authorities of the machine.
fn tls() -> ClientTlsConfig {
    ClientTlsConfig::new().with_native_roots()
}

/// An HTTP client for the SDK's own threads, which have no runtime: the runtime of the service does the sending.
struct OnRuntime {
    runtime: Handle,
    client: reqwest::Client,
}

impl OnRuntime {
    fn new() -> Result<Self, TelemetryError> {
        // Whoever comes first in the process installs the cryptography; it is the same for all.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
        Ok(Self { runtime: Handle::current(), client: client? })
    }
}

impl fmt::Debug for OnRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRuntime").finish_non_exhaustive()
    }
}

impl HttpClient for OnRuntime {
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
