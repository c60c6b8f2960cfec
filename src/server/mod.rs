//! The two doors: the layers that they share, and the listeners.
//!
//! A request of either door passes [`Observe`](observe) (request id, span, the log line), [`Identify`](identify) (which
//! call is it), [`Limits`](limits) (size and time), [`Authenticate`](authenticate) and [`RateLimit`](rate_limit), in
//! this order, before it reaches its [`Door`].

pub mod admin;
mod authenticate;
mod door;
mod ending;
mod first_bytes;
mod identify;
mod layer;
mod limits;
pub mod listener;
mod observe;
mod rate_limit;

use std::sync::Arc;
use std::time::Duration;

use tower::ServiceBuilder;

use crate::ambient::SharedAmbient;
use crate::auth::Authenticator;
use crate::telemetry::Metrics;

pub use self::door::{Call, Door, GrpcDoor, RestDoor};
pub use self::layer::HttpService;
pub use self::rate_limit::RateLimits;

/// A request of either door.
pub type HttpRequest = http::Request<tonic::body::Body>;
/// A response of either door.
pub type HttpResponse = http::Response<tonic::body::Body>;

/// What the layers of both doors hold.
#[derive(Clone)]
pub struct Shared {
    /// Clock, identifiers, randomness.
    pub ambient: SharedAmbient,
    /// What is measured.
    pub metrics: Metrics,
    /// Knows who is calling.
    pub authenticator: Arc<Authenticator>,
    /// How often each client may call; counted over both doors.
    pub rate_limits: Option<Arc<RateLimits>>,
    /// The largest request, in bytes.
    pub max_body_bytes: u64,
    /// The longest time for an answer.
    pub request_timeout: Duration,
}

/// A door behind its layers.
pub fn service<D: Door>(door: D, shared: &Shared) -> impl HttpService {
    ServiceBuilder::new()
        .layer(layer::Around(observe::Observe::new::<D>(shared.ambient.clone(), shared.metrics.clone())))
        .layer(layer::Around(identify::Identify { door: door.clone() }))
        .layer(layer::Around(limits::Limits {
            door: door.clone(),
            max_body_bytes: shared.max_body_bytes,
            timeout: shared.request_timeout,
        }))
        .layer(layer::Around(authenticate::Authenticate {
            door: door.clone(),
            authenticator: shared.authenticator.clone(),
        }))
        .layer(layer::Around(rate_limit::RateLimit { door: door.clone(), limits: shared.rate_limits.clone() }))
        .service(door::Endpoint { door })
}
