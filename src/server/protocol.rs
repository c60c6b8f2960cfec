//! What differs between the protocols: how a request names its call, what serves it, and the form of an error.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::method::{self, Methods};
use kira_gateway::rest::{Gateway, Matched};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service;

use crate::server::body::end_on_shutdown::{PendingItems, end_grpc_at, end_rest_at};
use crate::server::docs::{self, Docs, Document};
use crate::server::message::{HttpRequest, HttpResponse};

/// gRPC's own services. They need no credentials and show no data of users. Any other path is served only if the contract
/// has its policy.
const GRPC_SYSTEM: &[&str] =
    &["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// Whether a path is one of gRPC's own services.
pub(super) fn is_grpc_system(path: &str) -> bool {
    GRPC_SYSTEM.iter().any(|service| path.starts_with(service))
}

/// The call that a request makes; an extension of the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    /// Its policy; `None` for gRPC's own services.
    pub method: Option<&'static method::Method>,
    /// The template of its path, over REST.
    pub route: Option<&'static str>,
}

/// One of the two protocols.
pub trait Protocol: Clone + Send + Sync + 'static {
    /// The value of the `protocol` label and log field.
    const NAME: &'static str;
    /// Whether only services within the cluster use it, but for gRPC-Web. Their traces are continued.
    const IS_INTERNAL: bool;
    /// The gRPC code of a request whose client disconnected; `None` where responses have no gRPC code.
    const DISCONNECTED_CODE: Option<Code>;

    /// The call that a request makes. May add extensions to the request that [`Protocol::call`] reads.
    ///
    /// # Errors
    /// There is no such call.
    fn resolve(&self, request: &mut HttpRequest) -> Result<Call, Status>;

    /// Serves a call.
    fn call(&self, request: HttpRequest) -> impl Future<Output = HttpResponse> + Send;

    /// An error in the form of this protocol.
    fn error_response(&self, status: Status) -> HttpResponse;

    /// The gRPC status that a response starts with; `None` where responses have none.
    fn grpc_status(response: &HttpResponse) -> Option<Status>;
}

/// gRPC, for services in the cluster.
#[derive(Clone)]
pub struct GrpcProtocol {
    routes: Routes,
    methods: Arc<Methods>,
    stop: CancellationToken,
}

impl GrpcProtocol {
    /// Serves `routes`, whose policies are `methods`. Streams end at `stop`.
    #[must_use]
    pub fn new(routes: Routes, methods: Methods, stop: CancellationToken) -> Self {
        Self { routes: routes.prepare(), methods: Arc::new(methods), stop }
    }
}

impl Protocol for GrpcProtocol {
    const NAME: &'static str = "grpc";
    const IS_INTERNAL: bool = true;
    const DISCONNECTED_CODE: Option<Code> = Some(Code::Cancelled);

    fn resolve(&self, request: &mut HttpRequest) -> Result<Call, Status> {
        check_is_grpc(request)?;
        let path = request.uri().path();
        match self.methods.find(path) {
            None if !is_grpc_system(path) => Err(error::with_reason(ErrorReason::Unimplemented)),
            method => Ok(Call { method, route: None }),
        }
    }

    async fn call(&self, request: HttpRequest) -> HttpResponse {
        let mut routes = self.routes.clone();
        let method = request.extensions().get::<Call>().map(|call| call.method);
        let mut response = match Service::call(&mut routes, request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        error::complete_headers(response.headers_mut());
        match method {
            Some(None) => end_grpc_at(&self.stop, PendingItems::Send, response),
            Some(Some(method)) if method.server_streaming => end_grpc_at(&self.stop, PendingItems::Drop, response),
            _ => response,
        }
    }

    fn error_response(&self, status: Status) -> HttpResponse {
        let status = error::complete(status);
        let details = error::details(&status);
        let mut response = status.into_http();
        // A gRPC response has the HTTP status 200 in any case. A request that is not gRPC gets an HTTP error.
        let not_grpc = [ErrorReason::MethodNotAllowed, ErrorReason::UnsupportedMediaType];
        if let Some(details) = details.filter(|details| not_grpc.contains(&details.reason)) {
            *response.status_mut() =
                StatusCode::from_u16(details.reason.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
            if let Some(allow) = details.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        }
        response
    }

    fn grpc_status(response: &HttpResponse) -> Option<Status> {
        // The status of a failed call is among the headers; that of a successful one follows the body.
        Some(Status::from_header_map(response.headers()).unwrap_or_else(|| Status::new(Code::Ok, "")))
    }
}

/// Rejects a request that is not gRPC with protobuf: another HTTP method, or another content type.
fn check_is_grpc(request: &HttpRequest) -> Result<(), Status> {
    if request.method() != Method::POST {
        return Err(error::method_not_allowed(request.method(), &["POST"]));
    }
    let media_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let end = media_type.iter().position(|byte| *byte == b';').unwrap_or(media_type.len());
    let essence = media_type[..end].trim_ascii_end();
    let is_grpc =
        ["application/grpc", "application/grpc+proto"].iter().any(|grpc| essence.eq_ignore_ascii_case(grpc.as_bytes()));
    if is_grpc {
        return Ok(());
    }
    Err(error::status(ErrorReason::UnsupportedMediaType, "Content-Type must be application/grpc"))
}

/// REST, for customers outside of the cluster: JSON over HTTP.
#[derive(Clone)]
pub struct RestProtocol {
    gateway: Arc<Gateway>,
    docs: Option<Arc<Docs>>,
    stop: CancellationToken,
}

impl RestProtocol {
    /// The protocol to the routes of `gateway`, and to `docs` if they are shown. Streams end at `stop`.
    #[must_use]
    pub fn new(gateway: Gateway, docs: Option<Docs>, stop: CancellationToken) -> Self {
        Self { gateway: Arc::new(gateway), docs: docs.map(Arc::new), stop }
    }
}

impl Protocol for RestProtocol {
    const NAME: &'static str = "rest";
    const IS_INTERNAL: bool = false;
    const DISCONNECTED_CODE: Option<Code> = None;

    fn resolve(&self, request: &mut HttpRequest) -> Result<Call, Status> {
        if let Some(document) = self.docs.as_ref().and_then(|docs| docs.find(request)).transpose()? {
            let call = Call { method: Some(&docs::READ), route: Some(document.path) };
            request.extensions_mut().insert(document);
            return Ok(call);
        }
        let matched = self.gateway.find(request.method(), request.uri())?;
        let call = Call { method: Some(matched.method()), route: Some(matched.template()) };
        request.extensions_mut().insert(matched);
        Ok(call)
    }

    async fn call(&self, mut request: HttpRequest) -> HttpResponse {
        if let Some(document) = request.extensions_mut().remove::<Document>() {
            return document.respond(&request);
        }
        let matched = match request.extensions_mut().remove::<Matched>() {
            Some(matched) => matched,
            None => match self.gateway.find(request.method(), request.uri()) {
                Ok(matched) => matched,
                Err(status) => return self.error_response(status),
            },
        };
        let streams = matched.method().server_streaming;
        let response = self.gateway.call(matched, request).await;
        if streams { end_rest_at(&self.stop, PendingItems::Drop, response) } else { response }
    }

    fn error_response(&self, status: Status) -> HttpResponse {
        error::rest_response(&status)
    }

    fn grpc_status(_: &HttpResponse) -> Option<Status> {
        None
    }
}

/// The innermost service of the stack.
#[derive(Clone)]
pub(super) struct ProtocolService<P> {
    pub(super) protocol: P,
}

impl<P: Protocol> Service<HttpRequest> for ProtocolService<P> {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let protocol = self.protocol.clone();
        Box::pin(async move { Ok(protocol.call(request).await) })
    }
}
