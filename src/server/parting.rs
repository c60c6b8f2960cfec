//! Before the doors close: whoever keeps a connection is told to make the next one elsewhere.
//!
//! A balancer of connections takes a replica that is not ready out of its rotation, but leaves it the connections that
//! are there. Closing one while nobody uses it looks safe and is not: the next request may be on its way. So HTTP/1 is
//! told with an answer (`connection: close`), after which its client sends nothing more. HTTP/2 needs nothing of the
//! kind: its connections end by GOAWAY, which names the last request that is answered.

use http::header::CONNECTION;
use http::{HeaderValue, Version};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;

use super::layer::{Around, HttpService, Wrap, pass};
use super::{HttpRequest, HttpResponse};

/// `service`, which from the cancellation of `parting` on ends each HTTP/1 connection with its next answer.
pub fn parting(service: impl HttpService, parting: CancellationToken) -> impl HttpService {
    ServiceBuilder::new().layer(Around(Parting { parting })).service(service)
}

#[derive(Clone)]
struct Parting {
    parting: CancellationToken,
}

impl Wrap for Parting {
    async fn wrap<S: HttpService>(&self, request: HttpRequest, next: S) -> HttpResponse {
        let version = request.version();
        let mut response = pass(request, next).await;
        if version <= Version::HTTP_11 && self.parting.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
