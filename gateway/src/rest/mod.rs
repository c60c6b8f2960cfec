//! REST calls: from an HTTP request to the method that serves gRPC, and back.

mod body;
mod conditional;
mod download;
mod encoding;
mod headers;
mod links;
mod query;
mod range;
mod request;
mod respond;
mod route;
mod stream;
mod upload;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use tonic::Status;
use tonic::body::Body;

use crate::error::{method_not_allowed, rest_response, route_not_found};
use crate::method::Method;
use crate::router::{RouteError, RouteMatch, Router};

pub use conditional::names as names_entity_tag;
pub use download::FileInfo;
pub use encoding::inflated;
pub use links::Page;
pub use range::requested_range;
pub use request::read_field;
pub(crate) use request::unrecognized;
pub use respond::{json_list, push_segment};
use route::BodyUse;
pub use route::{Binding, ReadBody, Route, ServiceFuture, Variable};
pub use stream::last_record;
pub use upload::{Form, Upload, numbered};

/// Anything that went wrong with a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that did not arrive, with its cause.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive")]
struct BodyError(#[source] BoxError);

/// The REST API.
#[derive(Debug)]
pub struct Gateway {
    router: Router<Arc<Route>>,
}

/// Collects the routes of a gateway.
#[derive(Debug, Default)]
pub struct Builder {
    routes: Vec<Route>,
}

impl Builder {
    /// Adds the routes of a service: those that its generated `routes` makes.
    #[must_use]
    pub fn routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// The gateway.
    ///
    /// # Errors
    /// Two calls with the same route.
    pub fn build(self) -> Result<Gateway, RouteError> {
        let mut router = Router::default();
        for route in self.routes {
            let name = route.method().grpc_path.trim_start_matches('/');
            router.add(route.verb().clone(), route.template(), name, Arc::new(route))?;
        }
        Ok(Gateway { router })
    }
}

/// A request's route, and the values of its path.
#[derive(Clone, Debug)]
pub struct Matched {
    route: Arc<Route>,
    values: Vec<String>,
}

impl Matched {
    /// The call, with its policy.
    #[must_use]
    pub fn method(&self) -> &'static Method {
        self.route.method()
    }

    /// The template of the path, such as `/v1/users/{id}`.
    #[must_use]
    pub fn template(&self) -> &'static str {
        self.route.template()
    }
}

impl Gateway {
    /// Starts a gateway.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Finds the call that a request is for.
    ///
    /// # Errors
    /// NOT_FOUND, METHOD_NOT_ALLOWED with the methods of the path, or INVALID_REQUEST for a malformed path.
    pub fn find(&self, method: &http::Method, uri: &Uri) -> Result<Matched, Status> {
        match self.router.find(method, uri.path()) {
            RouteMatch::Route(route, values) => Ok(Matched { route: Arc::clone(route), values }),
            RouteMatch::OtherMethods(allowed) => Err(method_not_allowed(method, &allowed)),
            RouteMatch::Nothing => Err(route_not_found()),
            RouteMatch::Malformed => Err(crate::error::invalid("custom", "The path must be percent-encoded UTF-8")),
        }
    }

    /// Makes the call that `find` found.
    pub async fn call<B>(&self, matched: Matched, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let is_head = head.method == http::Method::HEAD;
        let condition = conditional::IfNoneMatch::of(&head);
        let Matched { route, values } = matched;
        if route.body() != BodyUse::Unread
            && let Some(refusal) = encoding::refusal(&head.headers)
        {
            return refusal;
        }
        let (body, stream) = match route.body() {
            BodyUse::Unread => (Ok(Bytes::new()), Body::empty()),
            BodyUse::Read => (body::read(&head.headers, body).await, Body::empty()),
            BodyUse::Streamed => (Ok(Bytes::new()), Body::new(body.map_err(|error| BodyError(error.into())))),
        };
        let response = match body {
            Ok(body) => route.serve(request::Incoming { head, values, body, stream }).await,
            Err(status) => rest_response(&status),
        };
        let response = if is_head { without_body(response) } else { response };
        match condition {
            Some(condition) => condition.apply(response),
            None => response,
        }
    }
}

/// A body of known length.
pub(crate) fn full_body(bytes: impl Into<Bytes>) -> Body {
    Body::new(Full::new(bytes.into()))
}

/// The answer to HEAD: the headers of GET.
fn without_body(response: Response<Body>) -> Response<Body> {
    use http_body::Body as _;
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(http::header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(head, Body::empty())
}
