//! Whether this process may get traffic: readiness for the admin listener and metrics, and gRPC's health service.

mod grpc;
mod readiness;

pub use self::grpc::GrpcHealth;
pub use self::readiness::Readiness;
