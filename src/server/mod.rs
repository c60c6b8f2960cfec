//! The two doors: the layers that they share, and the listeners.
//!
//! A request of either door passes [`cors`](mod@cors) (at the REST door: preflights), [`Shed`](shed) (is there a place),
//! [`Observe`](observe) (request id, span, measures, the log line), [`Announce`](rate_limit) (the headers of the rate),
//! [`Identify`](identify) (which call is it), [`ShedPublic`](fairness) (is there a place for it without credentials),
//! [`Limits`](limits) (size and time), [`Authenticate`](authenticate), [`ShedClient`](fairness) (is there a place for this
//! client) and [`RateLimit`](rate_limit), in this order, before it reaches its [`Door`].

mod activity;
pub mod admin;
mod authenticate;
mod cors;
mod delivery;
mod door;
mod ending;
mod fairness;
mod identify;
mod layer;
mod limits;
pub mod listener;
mod observe;
mod parting;
mod patience;
mod rate_limit;
mod shed;
mod streamed;
mod through;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;

use crate::ambient::SharedAmbient;
use crate::auth::Authenticator;
use crate::telemetry::Metrics;

pub use self::cors::cors;
pub use self::door::{Call, Door, GrpcDoor, RestDoor};
pub use self::layer::HttpService;
pub use self::parting::parting;
pub use self::rate_limit::RateLimits;
pub use self::shed::Places;

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
    /// Whether traces of REST callers are continued.
    pub trust_rest_traces: bool,
    /// Knows who is calling.
    pub authenticator: Arc<Authenticator>,
    /// How often each client may call; counted over both doors.
    pub rate_limits: Option<Arc<RateLimits>>,
    /// Which pages may call the REST door from a browser.
    pub cors: Option<CorsLayer>,
    /// How many requests are worked at, at a time; counted over both doors.
    pub places: Arc<Places>,
    /// The largest request, in bytes.
    pub max_body_bytes: u64,
    /// The longest time for an answer.
    pub request_timeout: Duration,
}

/// A door behind its layers.
pub fn service<D: Door>(door: D, shared: &Shared) -> impl HttpService {
    let cors = shared.cors.clone().filter(|_| D::NAME == RestDoor::NAME);
    let rate_limits = shared.rate_limits.as_deref();
    let (ambient, metrics, places) = (&shared.ambient, &shared.metrics, &shared.places);
    ServiceBuilder::new()
        .layer(tower::util::option_layer(cors))
        .layer(shed::Shed::new(&door, ambient.clone(), metrics.clone(), places.clone(), rate_limits))
        .layer(layer::Around(observe::Observe::new::<D>(shared)))
        .layer(layer::Around(rate_limit::Announce { limits: shared.rate_limits.clone() }))
        .layer(layer::Around(identify::Identify { door: door.clone() }))
        .layer(layer::Around(fairness::ShedPublic {
            door: door.clone(),
            metrics: metrics.clone(),
            places: places.clone(),
        }))
        .layer(layer::Around(limits::Limits {
            door: door.clone(),
            max_body_bytes: shared.max_body_bytes,
            timeout: shared.request_timeout,
        }))
        .layer(layer::Around(authenticate::Authenticate {
            door: door.clone(),
            authenticator: shared.authenticator.clone(),
        }))
        .layer(layer::Around(fairness::ShedClient {
            door: door.clone(),
            metrics: metrics.clone(),
            places: places.clone(),
        }))
        .layer(layer::Around(rate_limit::RateLimit { door: door.clone(), limits: shared.rate_limits.clone() }))
        .service(door::Endpoint { door })
}
