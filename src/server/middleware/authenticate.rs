//! Authentication and authorization of the client (docs/decisions.md, section 1).

use std::sync::Arc;

use http::HeaderMap;
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::method::Access;

use crate::auth::Authenticator;
use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::{HttpService, Middleware, run};
use crate::server::protocol::{Call, Protocol};

#[derive(Clone)]
pub(in crate::server) struct Authenticate<P> {
    pub(in crate::server) protocol: P,
    pub(in crate::server) authenticator: Arc<Authenticator>,
}

impl<P: Protocol> Middleware for Authenticate<P> {
    /// Adds the [`Caller`](crate::auth::Caller) to the request's extensions, or rejects the request.
    async fn handle<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        let call = request.extensions().get::<Call>().copied();
        // `ResolveMethod` passes on only gRPC's own services and calls of the contract, which are protected unless they
        // are marked public.
        let method = call.and_then(|call| call.method).filter(|method| method.access == Access::Client);
        if let Some(method) = method {
            let headers = request.headers();
            let (token, api_key) = (only(headers, "authorization"), only(headers, "x-api-key"));
            match self.authenticator.authenticate(token, api_key).await {
                Ok(caller) => {
                    tracing::Span::current().record("client_id", tracing::field::display(caller.client_id));
                    // A call without a permission is allowed to no client.
                    if !method.permission.is_some_and(|permission| caller.role.may(permission)) {
                        return self.protocol.error_response(error::with_reason(ErrorReason::Forbidden));
                    }
                    request.extensions_mut().insert(caller);
                }
                Err(error) => return self.protocol.error_response(error.into()),
            }
        }
        run(request, next).await
    }
}

/// The text of a header; empty, hence invalid, if it is repeated with different texts.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.any(|other| other != first) {
        return Some("");
    }
    Some(first.to_str().unwrap_or_default())
}
