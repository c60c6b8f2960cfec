//! Both protocols: the middleware stack that they share, and the listeners.
//!
//! A request over either protocol passes, in this order:
//! 1. [`cors`](middleware::cors): preflights, and the headers for browsers.
//! 2. [`inflated`]: REST bodies that are compressed. [`GrpcWeb`]: gRPC-Web becomes gRPC. All limits count the result.
//! 3. [`LoadShed`]: sheds requests beyond the concurrency limit.
//! 4. [`RequestTelemetry`]: request id, span, metrics, access log, panics.
//! 5. [`RateLimitHeaders`]: the `RateLimit` headers of the response.
//! 6. [`ResolveMethod`]: the call that the request makes; 404 and 405.
//! 7. [`PublicLimit`]: the share of calls without credentials.
//! 8. [`Limits`]: the size of the body, and the deadline.
//! 9. [`Authenticate`]: credentials and permissions.
//! 10. [`ClientLimit`]: the share of one client.
//! 11. [`RateLimit`]: the rate of one client.
//!
//! Then the [`Protocol`] routes the call to its service. [`context`] has what the layers pass to each other.

mod admission;
mod body;
mod connection;
mod context;
mod docs;
pub mod listener;
mod message;
mod middleware;
mod protocol;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use kira_gateway::rest::inflated;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower::util::MapRequestLayer;
use tower_http::cors::CorsLayer;

use crate::auth::Authenticator;
use crate::env::SharedEnv;
use crate::telemetry::Metrics;

use self::middleware::MiddlewareLayer;
use self::middleware::authenticate::Authenticate;
use self::middleware::grpc_web::GrpcWeb;
use self::middleware::limits::Limits;
use self::middleware::load_shed::LoadShed;
use self::middleware::rate_limit::{RateLimit, RateLimitHeaders};
use self::middleware::request_telemetry::RequestTelemetry;
use self::middleware::resolve_method::ResolveMethod;
use self::middleware::share_limits::{ClientLimit, PublicLimit};

pub use self::admission::ConcurrencyLimits;
pub use self::docs::Docs;
pub use self::message::{HttpRequest, HttpResponse};
pub use self::middleware::HttpService;
pub use self::middleware::connection_close::draining;
pub use self::middleware::cors::cors;
pub use self::middleware::rate_limit::RateLimits;
pub use self::middleware::shared_rate::SharedRate;
pub use self::protocol::{Call, GrpcProtocol, Protocol, RestProtocol};

/// What the layers of both protocols share.
#[derive(Clone)]
pub struct Shared {
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// Whether traces of REST clients are continued.
    pub trust_rest_traces: bool,
    /// Checks credentials.
    pub authenticator: Arc<Authenticator>,
    /// The rate limit of each client, over both protocols.
    pub rate_limits: Option<Arc<RateLimits>>,
    /// Which web pages may call the APIs.
    pub cors: Option<CorsLayer>,
    /// Whether the gRPC API speaks gRPC-Web too.
    pub grpc_web: bool,
    /// The concurrency limits, over both protocols.
    pub concurrency: Arc<ConcurrencyLimits>,
    /// The largest request body, in bytes.
    pub max_body_bytes: u64,
    /// The longest time until the response.
    pub request_timeout: Duration,
    /// Cancelled when the service stops: delayed responses are sent at once.
    pub stop: CancellationToken,
}

/// A protocol behind its middleware, the outermost first.
pub fn service<P: Protocol>(protocol: P, shared: &Shared) -> impl HttpService {
    let grpc_web = (P::IS_INTERNAL && shared.grpc_web).then_some(MiddlewareLayer(GrpcWeb));
    // No page speaks gRPC as it is.
    let cors = shared.cors.clone().filter(|_| !P::IS_INTERNAL || grpc_web.is_some());
    let (metrics, concurrency) = (&shared.metrics, &shared.concurrency);
    ServiceBuilder::new()
        .layer(tower::util::option_layer(cors))
        .layer(MapRequestLayer::new(|request| if P::IS_INTERNAL { request } else { inflated(request) }))
        .layer(tower::util::option_layer(grpc_web))
        .layer(LoadShed::new(&protocol, shared))
        .layer(MiddlewareLayer(RequestTelemetry::new(protocol.clone(), shared)))
        .layer(MiddlewareLayer(RateLimitHeaders { limits: shared.rate_limits.clone() }))
        .layer(MiddlewareLayer(ResolveMethod { protocol: protocol.clone() }))
        .layer(MiddlewareLayer(PublicLimit {
            protocol: protocol.clone(),
            metrics: metrics.clone(),
            concurrency: concurrency.clone(),
        }))
        .layer(MiddlewareLayer(Limits {
            protocol: protocol.clone(),
            max_body_bytes: shared.max_body_bytes,
            timeout: shared.request_timeout,
        }))
        .layer(MiddlewareLayer(Authenticate {
            protocol: protocol.clone(),
            authenticator: shared.authenticator.clone(),
        }))
        .layer(MiddlewareLayer(ClientLimit {
            protocol: protocol.clone(),
            metrics: metrics.clone(),
            concurrency: concurrency.clone(),
        }))
        .layer(MiddlewareLayer(RateLimit { protocol: protocol.clone(), limits: shared.rate_limits.clone() }))
        .service(protocol::ProtocolService { protocol })
}
