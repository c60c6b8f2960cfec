//! Shares of the [places](super::shed): nobody has all of them, neither those who show no credentials nor one client.
//! Otherwise a few bodies that are sent slowly would keep out everybody else.

use std::sync::Arc;

use kira_gateway::method::Access;

use super::door::{Call, Door};
use super::layer::{HttpService, Wrap, pass};
use super::shed::Places;
use super::{HttpRequest, HttpResponse};
use crate::auth::Caller;
use crate::telemetry::Metrics;

/// Refuses calls without credentials that would take more than their share.
#[derive(Clone)]
pub(super) struct ShedPublic<D> {
    pub(super) door: D,
    pub(super) metrics: Metrics,
    pub(super) places: Arc<Places>,
}

impl<D: Door> Wrap for ShedPublic<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let method = request.extensions().get::<Call>().and_then(|call| call.method);
        if method.is_none_or(|method| method.access != Access::Public) {
            return pass(request, next).await;
        }
        let Some(_place) = self.places.public() else {
            return self.places.refuse(&self.door, &self.metrics);
        };
        pass(request, next).await
    }
}

/// Refuses a client's calls that would take more than its share. What it checks is known before a body has arrived.
#[derive(Clone)]
pub(super) struct ShedClient<D> {
    pub(super) door: D,
    pub(super) metrics: Metrics,
    pub(super) places: Arc<Places>,
}

impl<D: Door> Wrap for ShedClient<D> {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let Some(client_id) = request.extensions().get::<Caller>().map(|caller| caller.client_id) else {
            return pass(request, next).await;
        };
        let Some(_place) = self.places.of_client(client_id) else {
            return self.places.refuse(&self.door, &self.metrics);
        };
        pass(request, next).await
    }
}
