//! One route: how a request becomes a message, which method takes it, and how its answer becomes a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use http::Response;
use tonic::Status;
use tonic::body::Body;

use super::links::Page;
use super::request::Incoming;
use super::upload::Upload;
use super::{download, links, respond, stream};
use crate::checked::Decoded;
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
    /// The `Location` of what the response is about.
    pub location: fn(&R) -> Option<String>,
    /// What an item of a stream is known by; from there a reader goes on after a break.
    pub event_id: fn(&R) -> Option<String>,
    /// Which part of a list the response is.
    pub page: fn(&R) -> Option<Page>,
}

/// A field that takes its value from the path.
pub struct Variable<Q> {
    /// The field's path by JSON names, dot-joined.
    pub name: &'static str,
    /// The place of the path's first step.
    pub slot: u32,
    /// Whether the field has a value.
    pub is_set: fn(&Q) -> bool,
    /// Whether two messages have the same value there.
    pub is_same: fn(&Q, &Q) -> bool,
}

/// What a route does with the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyUse {
    /// Nothing.
    Unread,
    /// It is handed on as it arrives.
    Streamed,
    /// It is read. Without one, nothing is given: as good as an empty object.
    Read,
}

/// A route.
pub struct Route {
    method: &'static Method,
    verb: http::Method,
    template: &'static str,
    body: BodyUse,
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
            let uri = incoming.head.uri.clone();
            let (request, unknown) = incoming.decode(&binding).await?;
            let response = call(request).await?;
            let links = (binding.page)(response.get_ref()).and_then(|page| links::header(&uri, &page));
            let mut response = respond::unary(binding.method, binding.write, binding.location, response, &unknown);
            response.headers_mut().extend(links.map(|links| (http::header::LINK, links)));
            Ok(response)
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

    /// A route to a call whose answer is a stream of bytes.
    pub fn download<Q, T, R, F>(binding: Binding<Q, R>, content: fn(R) -> Bytes, call: F) -> Self
    where
        Q: Default + Send + 'static,
        R: Send + 'static,
        T: Stream<Item = Result<R, Status>> + Send + 'static,
        F: Fn(tonic::Request<Q>) -> ServiceFuture<T> + Send + Sync + 'static,
    {
        Self::new(binding, call, move |binding, call, mut incoming| async move {
            if incoming.head.method != http::Method::GET {
                // Ranges are for GET alone (RFC 9110, section 14.2).
                incoming.head.headers.remove(http::header::RANGE);
            }
            let (request, _) = incoming.decode(&binding).await?;
            Ok(download::download(binding.method, content, call(request).await?).await)
        })
    }

    /// A route to a call that takes its body as a stream of bytes.
    pub fn upload<Q, R, F>(binding: Binding<Q, R>, upload: Upload<Q>, call: F) -> Self
    where
        Q: prost::Message + Default + Clone + 'static,
        R: Send + 'static,
        F: Fn(tonic::Request<tonic::Streaming<Q>>) -> ServiceFuture<R> + Send + Sync + 'static,
    {
        let upload = Arc::new(upload);
        let mut route = Self::new(binding, call, move |binding, call, mut incoming| {
            let upload = Arc::clone(&upload);
            async move {
                let (headers, body) = (incoming.head.headers.clone(), std::mem::take(&mut incoming.stream));
                let (request, unknown) = incoming.decode(&binding).await?;
                let (metadata, mut extensions, mut first) = request.into_parts();
                let mut decoded = extensions.remove::<Decoded>().unwrap_or_default();
                upload.check(&headers, binding.set, &mut first, &mut decoded.problems)?;
                extensions.insert(decoded);
                let messages = upload.messages(&headers, binding.set, first, body)?;
                let response = call(tonic::Request::from_parts(metadata, extensions, messages)).await?;
                Ok(respond::unary(binding.method, binding.write, binding.location, response, &unknown))
            }
        });
        route.body = BodyUse::Streamed;
        route
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
            body: if binding.body.is_some() || binding.late { BodyUse::Read } else { BodyUse::Unread },
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

    pub(super) fn body(&self) -> BodyUse {
        self.body
    }

    pub(super) async fn serve(&self, incoming: Incoming) -> Response<Body> {
        (self.handler)(incoming).await
    }
}
