//! Finds the call that a request makes. It comes before authentication, so that the inner layers know the policy of the
//! call, and an unknown path is a 404 also without credentials.

use crate::server::context::RequestContext;
use crate::server::message::{HttpRequest, HttpResponse};
use crate::server::middleware::{HttpService, Middleware, run};
use crate::server::protocol::Protocol;

#[derive(Clone)]
pub(in crate::server) struct ResolveMethod<P> {
    pub(in crate::server) protocol: P,
}

impl<P: Protocol> Middleware for ResolveMethod<P> {
    async fn handle<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        match self.protocol.resolve(&mut request) {
            Ok(call) => {
                if let Some(context) = request.extensions().get::<RequestContext>() {
                    context.set_call(call);
                }
                request.extensions_mut().insert(call);
                run(request, next).await
            }
            Err(status) => self.protocol.error_response(status),
        }
    }
}
