//! What happens around a call: paths, methods, media types, sizes, deadlines, credentials, identifiers of requests.

mod conditional;
mod credentials;
mod grpc;
mod grpc_web;
mod gzip;
mod limits;
mod requests;
mod shapes;
