//! Which call is it: decided before anything else, so that the other layers know its policy, and an unknown path is a
//! 404 also without credentials.

use super::door::Door;
use super::layer::{HttpService, Wrap, pass};
use super::{HttpRequest, HttpResponse};

#[derive(Clone)]
pub(super) struct Identify<D> {
    pub(super) door: D,
}

impl<D: Door> Wrap for Identify<D> {
    async fn wrap<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        match self.door.identify(&mut request) {
            Ok(call) => {
                request.extensions_mut().insert(call);
                let mut response = pass(request, next).await;
                // For the outer layers, which came before the call was known.
                response.extensions_mut().insert(call);
                response
            }
            Err(status) => self.door.refuse(status),
        }
    }
}
