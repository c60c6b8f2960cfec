//! One route: how a request becomes a message, which method takes it, and how its answer becomes a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use http::Response;
use tonic::Status;
use tonic::body::Body;

use super::request::Incoming;
use super::{respond, stream};
use crate::error::rest_response;
use crate::json;
use crate::method::Method;
use crate::problem::Problems;

/// What a service does with a request.
pub type ServiceFuture<R> = Pin<Box<dyn Future<Output = Result<tonic::Response<R>, Status>> + Send>>;

/// Reads a body whole.
pub type ReadBody<Q> = fn(&[u8]) -> json::Body<Q>;

type Handler = Box<dyn Fn(Incoming) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

/// One way to make a call over HTTP, as the generator writes it: requests are `Q`, responses `R`.
pub struct Binding<Q, R> {
    /// The call.
    pub method: &'static Method,
    /// The HTTP method.
    pub verb: &'static str,
    /// The path template.
    pub template: &'static str,
    /// The fields that the template's variables fill, from left to right.
    pub variables: Vec<Variable<Q>>,
    /// The headers that are fields.
    pub headers: &'static [&'static str],
    /// Reads the body, where there is one.
    pub body: Option<ReadBody<Q>>,
    /// Whether the body waits for the service, which alone knows its kind. See [`crate::Late`].
    pub late: bool,
    /// Fills the field at a path from a text; false where there is no such field.
    pub set: fn(&mut Q, &str, &str, &mut Problems) -> bool,
    /// Whether fields are filled from the query.
    pub query: bool,
    /// The parameters of the query that may be repeated.
    pub lists: &'static [&'static str],
    /// The fields that the query cannot fill.
    pub closed: &'static [&'static str],
    /// Writes the response.
    pub write: fn(&R) -> Vec<u8>,
    /// The `Location` of what the response tells of.
    pub location: fn(&R) -> Option<String>,
    /// What an item of a stream is known by; from there a reader goes on after a break.
    pub event_id: fn(&R) -> Option<String>,
}

/// A field that takes its value from the path.
pub struct Variable<Q> {
    /// The field's path by JSON names, dot-joined.
    pub name: &'static str,
    /// The place of the path's first step.
    pub slot: u32,
    /// Whether the field has a value.
    pub is_set: fn(&Q) -> bool,
}

/// A route.
pub struct Route {
    method: &'static Method,
    verb: http::Method,
    template: &'static str,
    reads_body: bool,
    handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({} {} -> {})", self.verb, self.template, self.method.grpc_path)
    }
}

impl Route {
    /// A route to a call with one answer.
    pub fn unary<Q, R, F>(binding: Binding<Q, R>, call: F) -> Self
    where
        Q: Default + Send + 'static,
        R: Send + 'static,
        F: Fn(tonic::Request<Q>) -> ServiceFuture<R> + Send + Sync + 'static,
    {
        Self::new(binding, call, |binding, call, incoming| async move {
            let (request, unknown) = incoming.decode(&binding).await?;
            let response = call(request).await?;
            Ok(respond::unary(binding.method, binding.write, binding.location, response, &unknown))
        })
    }

    /// A route to a call whose answer is a stream.
    pub fn server_streaming<Q, T, R, F>(binding: Binding<Q, R>, call: F) -> Self
    where
        Q: Default + Send + 'static,
        R: Send + 'static,
        T: Stream<Item = Result<R, Status>> + Send + 'static,
        F: Fn(tonic::Request<Q>) -> ServiceFuture<T> + Send + Sync + 'static,
    {
        Self::new(binding, call, |binding, call, incoming| async move {
            let format = stream::Format::accepted(&incoming.head.headers);
            let (request, _) = incoming.decode(&binding).await?;
            let response = call(request).await?;
            Ok(stream::respond(&binding, format, response).await)
        })
    }

    fn new<Q, R, F, S, A>(binding: Binding<Q, R>, call: F, serve: S) -> Self
    where
        Q: 'static,
        R: 'static,
        F: Send + Sync + 'static,
        S: Fn(Arc<Binding<Q, R>>, Arc<F>, Incoming) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response<Body>, Status>> + Send + 'static,
    {
        let (binding, call) = (Arc::new(binding), Arc::new(call));
        Self {
            method: binding.method,
            // The generator has read the rule; only a `custom` kind that is no token could fail, and it finds nothing.
            verb: http::Method::from_bytes(binding.verb.as_bytes()).unwrap_or_default(),
            template: binding.template,
            reads_body: binding.body.is_some() || binding.late,
            handler: Box::new(move |incoming| {
                let answer = serve(Arc::clone(&binding), Arc::clone(&call), incoming);
                Box::pin(async move { answer.await.unwrap_or_else(|status| rest_response(&status)) })
            }),
        }
    }

    pub(super) fn method(&self) -> &'static Method {
        self.method
    }

    pub(super) fn verb(&self) -> &http::Method {
        &self.verb
    }

    pub(super) fn template(&self) -> &'static str {
        self.template
    }

    pub(super) fn reads_body(&self) -> bool {
        self.reads_body
    }

    pub(super) async fn serve(&self, incoming: Incoming) -> Response<Body> {
        (self.handler)(incoming).await
    }
}
