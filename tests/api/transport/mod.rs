//! What happens around a call: paths, methods, media types, sizes, deadlines, credentials, identifiers of requests.

mod credentials;
mod grpc;
mod limits;
mod requests;
mod shapes;
