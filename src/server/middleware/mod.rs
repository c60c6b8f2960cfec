//! The middleware of both protocols, each an async function around the rest of the stack.

mod access_log;
pub(in crate::server) mod authenticate;
pub(in crate::server) mod connection_close;
pub(in crate::server) mod cors;
pub(in crate::server) mod grpc_web;
pub(in crate::server) mod limits;
pub(in crate::server) mod load_shed;
pub(in crate::server) mod rate_limit;
pub(in crate::server) mod request_id;
mod request_metrics;
mod request_span;
pub(in crate::server) mod request_telemetry;
pub(in crate::server) mod resolve_method;
mod response_summary;
pub(in crate::server) mod share_limits;
pub(in crate::server) mod shared_rate;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower::{Layer, Service};

use crate::server::message::{HttpRequest, HttpResponse};

/// A service of either protocol. It is always ready, and every failure is a response.
pub trait HttpService:
    Service<HttpRequest, Response = HttpResponse, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> HttpService for S where
    S: Service<HttpRequest, Response = HttpResponse, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

/// A layer as an async function.
pub(in crate::server) trait Middleware: Clone + Send + Sync + 'static {
    /// Answers a request, usually by `next`.
    fn handle<S: HttpService>(&self, request: HttpRequest, next: S) -> impl Future<Output = HttpResponse> + Send;
}

/// Passes a request on to the rest of the stack.
pub(in crate::server) async fn run<S: HttpService>(request: HttpRequest, mut next: S) -> HttpResponse {
    match next.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The tower layer of a [`Middleware`].
#[derive(Clone)]
pub(in crate::server) struct MiddlewareLayer<M>(pub(in crate::server) M);

impl<M: Middleware, S> Layer<S> for MiddlewareLayer<M> {
    type Service = MiddlewareService<M, S>;

    fn layer(&self, next: S) -> Self::Service {
        MiddlewareService { middleware: self.0.clone(), next }
    }
}

/// The tower service of a [`Middleware`].
#[derive(Clone)]
pub(in crate::server) struct MiddlewareService<M, S> {
    middleware: M,
    next: S,
}

impl<M: Middleware, S: HttpService> Service<HttpRequest> for MiddlewareService<M, S> {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let middleware = self.middleware.clone();
        let next = self.next.clone();
        Box::pin(async move { Ok(middleware.handle(request, next).await) })
    }
}
