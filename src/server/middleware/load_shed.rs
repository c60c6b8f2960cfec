//! Load shedding: a request beyond the concurrency limit is rejected, so that accepted requests are answered in time.
//!
//! A shed request must cost next to nothing, or the rejections alone would use the machine. So [`LoadShed`] runs before
//! the access log, the span and the metrics of a request: it clones a prepared response, adds a request id, counts, and
//! logs once a second. A client that retries at once would be shed tens of thousands of times a second, so the response is
//! delayed for a moment, without a permit. The response is delayed and not the connection, which may be a proxy's and
//! carry the requests of others.
//!
//! A request takes its permit again only when its body has arrived ([`RequestPermits`]). Responses to callers without
//! valid credentials are paced ([`Pacing`](crate::server::admission::Pacing)).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::response::Parts;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

use crate::env::SharedEnv;
use crate::server::Shared;
use crate::server::admission::{ConcurrencyLimits, RequestHead, RequestPermits, shed_response};
use crate::server::connection::Peer;
use crate::server::context::Shed;
use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::request_id::{REQUEST_ID, request_id};
use crate::server::middleware::{HttpService, run};
use crate::server::protocol::{Protocol, is_grpc_system};
use crate::telemetry::Metrics;

/// The delay of the response to a shed request: a client that retries in a loop makes four requests a second and not
/// thousands, and a retry at another replica loses little.
const SHED_DELAY: Duration = Duration::from_millis(250);
/// Sheds requests beyond the concurrency limit, and paces responses to callers without valid credentials.
#[derive(Clone)]
pub(in crate::server) struct LoadShed {
    protocol: &'static str,
    env: SharedEnv,
    metrics: Metrics,
    limits: Arc<ConcurrencyLimits>,
    shed_response: Arc<PreparedResponse>,
    stop: CancellationToken,
}

/// A response that is cloned for each request that is shed.
struct PreparedResponse {
    head: Parts,
    body: Bytes,
}

impl LoadShed {
    pub(in crate::server) fn new<P: Protocol>(protocol: &P, shared: &Shared) -> Self {
        let mut response = shed_response(protocol);
        if let Some(limits) = &shared.rate_limits {
            limits.add_headers(response.headers_mut(), None);
        }
        let (head, body) = response.into_parts();
        // The body is in memory: it is ready at once, and cannot fail.
        let body = body.collect().now_or_never().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        Self {
            protocol: P::NAME,
            env: shared.env.clone(),
            metrics: shared.metrics.clone(),
            limits: shared.concurrency.clone(),
            shed_response: Arc::new(PreparedResponse { head, body }),
            stop: shared.stop.clone(),
        }
    }

    fn shed(&self, request: &HttpRequest) -> HttpResponse {
        self.limits.record_shed(self.protocol, &self.metrics);
        let mut head = self.shed_response.head.clone();
        head.headers.insert(REQUEST_ID, request_id(request.headers(), &self.env));
        let body = match self.shed_response.body.is_empty() {
            true => tonic::body::Body::empty(),
            false => tonic::body::Body::new(Full::new(self.shed_response.body.clone())),
        };
        HttpResponse::from_parts(head, body)
    }
}

impl<S: HttpService> Layer<S> for LoadShed {
    type Service = LoadShedService<S>;

    fn layer(&self, next: S) -> LoadShedService<S> {
        LoadShedService { layer: self.clone(), next }
    }
}

/// The service behind [`LoadShed`].
#[derive(Clone)]
pub(in crate::server) struct LoadShedService<S> {
    layer: LoadShed,
    next: S,
}

impl<S: HttpService> Service<HttpRequest> for LoadShedService<S> {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        let limits = Arc::clone(&self.layer.limits);
        let head = RequestHead {
            peer: request.extensions().get::<Peer>().copied().unwrap_or_default(),
            version: request.version(),
            is_grpc_system: is_grpc_system(request.uri().path()),
            stop: self.layer.stop.clone(),
        };
        // gRPC's own services need no permit: a busy service must pass its health check.
        let permit = match head.is_grpc_system {
            true => None,
            false => match limits.now() {
                Some(permit) => Some(permit),
                None => {
                    let response = self.layer.shed(&request);
                    return Box::pin(async move { Ok(limits.delayed(SHED_DELAY, &head, response).await) });
                }
            },
        };
        let permits = RequestPermits::new(Arc::clone(&limits), head.peer, permit);
        if !head.is_grpc_system && !request.body().is_end_stream() {
            request = request.map(|body| permits.receive(body));
        }
        request.extensions_mut().insert(permits.clone());
        let next = self.next.clone();
        let metrics = self.layer.metrics.clone();
        let protocol = self.layer.protocol;
        Box::pin(async move {
            let response = run(request, next).await;
            let is_of_client = permits.is_of_client();
            permits.end();
            let is_shed = response.extensions().get::<Shed>().is_some();
            let delay = match is_shed {
                true => SHED_DELAY,
                false if is_of_client => return Ok(response),
                false => limits.pacing_delay(&head, &response),
            };
            if delay.is_zero() {
                return Ok(response);
            }
            if !is_shed {
                metrics.delayed(protocol);
            }
            Ok(limits.delayed(delay, &head, response).await)
        })
    }
}
