//! Who is calling (decisions, section 1).

use std::sync::Arc;

use http::HeaderMap;
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::method::Access;

use super::door::{Call, Door};
use super::layer::{HttpService, Wrap, pass};
use super::{HttpRequest, HttpResponse};
use crate::auth::Authenticator;

#[derive(Clone)]
pub(super) struct Authenticate<D> {
    pub(super) door: D,
    pub(super) authenticator: Arc<Authenticator>,
}

impl<D: Door> Wrap for Authenticate<D> {
    /// Adds the caller to the request's extensions, or refuses.
    async fn wrap<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        let call = request.extensions().get::<Call>().copied();
        // The door lets through nothing but gRPC's own services and calls of the contract; of those, whatever is not
        // marked public is protected.
        let method = call.and_then(|call| call.method).filter(|method| method.access == Access::Client);
        if let Some(method) = method {
            let headers = request.headers();
            let (token, api_key) = (only(headers, "authorization"), only(headers, "x-api-key"));
            match self.authenticator.authenticate(token, api_key).await {
                Ok(caller) => {
                    tracing::Span::current().record("client_id", tracing::field::display(caller.client_id));
                    // A call that states no permission is nobody's.
                    if !method.permission.is_some_and(|permission| caller.role.may(permission)) {
                        return self.door.refuse(error::because(ErrorReason::Forbidden));
                    }
                    request.extensions_mut().insert(caller);
                }
                Err(error) => return self.door.refuse(error.into()),
            }
        }
        pass(request, next).await
    }
}

/// A header's text. One that is given twice with different texts is as good as a wrong one.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.any(|other| other != first) {
        return Some("");
    }
    Some(first.to_str().unwrap_or_default())
}
