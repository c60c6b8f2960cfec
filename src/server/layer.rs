//! Layers as async functions around the rest of the stack.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower::{Layer, Service};

use super::{HttpRequest, HttpResponse};

/// A service of either door. It is always ready and never fails: every failure is a response.
pub trait HttpService:
    Service<HttpRequest, Response = HttpResponse, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> HttpService for S where
    S: Service<HttpRequest, Response = HttpResponse, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

/// What a layer does around the call.
pub(super) trait Wrap: Clone + Send + Sync + 'static {
    /// Answers a request, usually by way of `next`.
    fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> impl Future<Output = HttpResponse> + Send;
}

/// Passes a request on to the rest of the stack.
pub(super) async fn pass<S: HttpService>(request: HttpRequest, mut next: S) -> HttpResponse {
    match next.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The tower layer of a [`Wrap`].
#[derive(Clone)]
pub(super) struct Around<W>(pub(super) W);

impl<W: Wrap, S> Layer<S> for Around<W> {
    type Service = Wrapped<W, S>;

    fn layer(&self, next: S) -> Self::Service {
        Wrapped { wrap: self.0.clone(), next }
    }
}

/// A service behind a layer.
#[derive(Clone)]
pub(super) struct Wrapped<W, S> {
    wrap: W,
    next: S,
}

impl<W: Wrap, S: HttpService> Service<HttpRequest> for Wrapped<W, S> {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let wrap = self.wrap.clone();
        let next = self.next.clone();
        Box::pin(async move { Ok(wrap.wrap(request, next).await) })
    }
}
