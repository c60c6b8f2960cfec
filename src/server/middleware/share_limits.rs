//! Limits the share of the [concurrency limits](super::load_shed) that calls without credentials and that one client use.

use std::sync::Arc;

use kira_gateway::method::Access;

use crate::auth::Caller;
use crate::current_client::run_as;
use crate::server::admission::{ConcurrencyLimits, RequestPermits};
use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::{HttpService, Middleware, run};
use crate::server::protocol::{Call, Protocol};
use crate::telemetry::Metrics;

/// Sheds calls without credentials beyond their share.
#[derive(Clone)]
pub(in crate::server) struct PublicLimit<P> {
    pub(in crate::server) protocol: P,
    pub(in crate::server) metrics: Metrics,
    pub(in crate::server) concurrency: Arc<ConcurrencyLimits>,
}

impl<P: Protocol> Middleware for PublicLimit<P> {
    async fn handle<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let method = request.extensions().get::<Call>().and_then(|call| call.method);
        if method.is_none_or(|method| method.access != Access::Public) {
            return run(request, next).await;
        }
        if request.extensions().get::<RequestPermits>().is_some_and(|permits| !permits.take_public()) {
            return self.concurrency.shed(&self.protocol, &self.metrics);
        }
        run(request, next).await
    }
}

/// Sheds a client's calls beyond its share, before their bodies have arrived.
#[derive(Clone)]
pub(in crate::server) struct ClientLimit<P> {
    pub(in crate::server) protocol: P,
    pub(in crate::server) metrics: Metrics,
    pub(in crate::server) concurrency: Arc<ConcurrencyLimits>,
}

impl<P: Protocol> Middleware for ClientLimit<P> {
    async fn handle<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let Some(client_id) = request.extensions().get::<Caller>().map(|caller| caller.client_id) else {
            return run(request, next).await;
        };
        if request.extensions().get::<RequestPermits>().is_some_and(|permits| !permits.take_of_client(client_id)) {
            return self.concurrency.shed(&self.protocol, &self.metrics);
        }
        // Its share of the database, too.
        run_as(client_id, run(request, next)).await
    }
}
