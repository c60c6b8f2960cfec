//! gRPC's health service (`grpc.health.v1.Health`).

use std::pin::Pin;

use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_check_response::ServingStatus as ProtoServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};
use tonic_health::server::{HealthReporter, HealthService};

/// The serving status of the gRPC services.
#[derive(Clone)]
pub struct GrpcHealth {
    reporter: HealthReporter,
    services: Vec<&'static str>,
}

impl GrpcHealth {
    /// Starts with these services and the whole server (the empty name) as SERVING. Returns the service to register, too.
    pub async fn serving(
        services: impl Iterator<Item = &'static str>,
    ) -> (Self, HealthServer<impl health_server::Health>) {
        let reporter = HealthReporter::new();
        let health = Self { reporter: reporter.clone(), services: std::iter::once("").chain(services).collect() };
        health.report(true).await;
        (health, HealthServer::new(WatchUnknown(HealthService::from_health_reporter(reporter))))
    }

    /// Sets the status of the server and of every service.
    pub async fn report(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

/// The health service of tonic-health, with `Watch` for unknown services. tonic-health rejects such a watch, and clients
/// with health checks then treat the server as one without health service and stop checking.
struct WatchUnknown(HealthService);

#[tonic::async_trait]
impl health_server::Health for WatchUnknown {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.check(request).await
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        match self.0.watch(request).await {
            Ok(response) => Ok(response.map(|stream| Box::pin(stream) as Self::WatchStream)),
            Err(status) if status.code() == Code::NotFound => {
                let unknown = HealthCheckResponse { status: ProtoServingStatus::ServiceUnknown.into() };
                // All services are registered before the first request is read, so the status never changes.
                let stream = tokio_stream::once(Ok(unknown)).chain(tokio_stream::pending());
                Ok(Response::new(Box::pin(stream)))
            }
            Err(status) => Err(status),
        }
    }
}
