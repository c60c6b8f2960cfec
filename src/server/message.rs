//! The request and response types of the middleware stack.

/// A request over either protocol.
pub type HttpRequest = http::Request<tonic::body::Body>;
/// A response over either protocol.
pub type HttpResponse = http::Response<tonic::body::Body>;
