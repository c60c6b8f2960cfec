//! What differs between the doors: how a request names its call, who answers it, and what an error looks like.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::method::{Method, Methods};
use kira_gateway::rest::{Gateway, Matched};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;
use tower::Service;

use super::ending::{Rest, end_grpc_at, end_rest_at};
use super::{HttpRequest, HttpResponse};

/// The services that are gRPC's own and not the contract's: they are open to all who reach the door, and show nothing
/// of anybody. Whatever else the routes may hold is not reached without a policy in the contract.
const GRPCS_OWN: &[&str] = &["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/"];

/// Whether a path is one of gRPC's own services.
pub(super) fn is_grpcs_own(path: &str) -> bool {
    GRPCS_OWN.iter().any(|service| path.starts_with(service))
}

/// The call that a request makes; an extension of the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    /// Its policy; `None` for what is no call of the contract: gRPC's own health and reflection.
    pub method: Option<&'static Method>,
    /// Over REST: the template of its path.
    pub route: Option<&'static str>,
}

/// One of the doors.
pub trait Door: Clone + Send + Sync + 'static {
    /// Its name in logs.
    const NAME: &'static str;

    /// Which call a request makes. What the door needs to know to answer it, it notes in the request's extensions.
    ///
    /// # Errors
    /// There is no such call.
    fn identify(&self, request: &mut HttpRequest) -> Result<Call, Status>;

    /// Answers a call.
    fn call(&self, request: HttpRequest) -> impl Future<Output = HttpResponse> + Send;

    /// An error as this door's clients know it.
    fn refuse(&self, status: Status) -> HttpResponse;
}

/// The door for services in the cluster.
#[derive(Clone)]
pub struct GrpcDoor {
    routes: Routes,
    methods: Arc<Methods>,
    stop: CancellationToken,
}

impl GrpcDoor {
    /// The door to the services of `routes`, whose policies are `methods`. Streams end at `stop`.
    #[must_use]
    pub fn new(routes: Routes, methods: Methods, stop: CancellationToken) -> Self {
        Self { routes: routes.prepare(), methods: Arc::new(methods), stop }
    }
}

impl Door for GrpcDoor {
    const NAME: &'static str = "grpc";

    fn identify(&self, request: &mut HttpRequest) -> Result<Call, Status> {
        let path = request.uri().path();
        match self.methods.find(path) {
            None if !is_grpcs_own(path) => Err(error::because(ErrorReason::Unimplemented)),
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
            Some(None) => end_grpc_at(&self.stop, Rest::Sent, response),
            Some(Some(method)) if method.server_streaming => end_grpc_at(&self.stop, Rest::Left, response),
            _ => response,
        }
    }

    fn refuse(&self, status: Status) -> HttpResponse {
        error::complete(status).into_http()
    }
}

/// The door for customers outside: JSON over HTTP.
#[derive(Clone)]
pub struct RestDoor {
    gateway: Arc<Gateway>,
    stop: CancellationToken,
}

impl RestDoor {
    /// The door to the routes of `gateway`. Streams end at `stop`.
    #[must_use]
    pub fn new(gateway: Gateway, stop: CancellationToken) -> Self {
        Self { gateway: Arc::new(gateway), stop }
    }
}

impl Door for RestDoor {
    const NAME: &'static str = "rest";

    fn identify(&self, request: &mut HttpRequest) -> Result<Call, Status> {
        let matched = self.gateway.find(request.method(), request.uri())?;
        let call = Call { method: Some(matched.method()), route: Some(matched.template()) };
        request.extensions_mut().insert(matched);
        Ok(call)
    }

    async fn call(&self, mut request: HttpRequest) -> HttpResponse {
        let matched = match request.extensions_mut().remove::<Matched>() {
            Some(matched) => matched,
            None => match self.gateway.find(request.method(), request.uri()) {
                Ok(matched) => matched,
                Err(status) => return self.refuse(status),
            },
        };
        let streams = matched.method().server_streaming;
        let response = self.gateway.call(matched, request).await;
        if streams { end_rest_at(&self.stop, Rest::Left, response) } else { response }
    }

    fn refuse(&self, status: Status) -> HttpResponse {
        error::rest_response(&status)
    }
}

/// The innermost service: the door itself.
#[derive(Clone)]
pub(super) struct Endpoint<D> {
    pub(super) door: D,
}

impl<D: Door> Service<HttpRequest> for Endpoint<D> {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let door = self.door.clone();
        Box::pin(async move { Ok(door.call(request).await) })
    }
}
