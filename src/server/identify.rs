//! Which call is it: decided before anything else, so that the other layers know its policy, and an unknown path is a
//! 404 also without credentials.

use super::door::Door;
use super::layer::{HttpService, Wrap, pass};
use super::observe::Called;
use super::{HttpRequest, HttpResponse};

#[derive(Clone)]
pub(super) struct Identify<D> {
    pub(super) door: D,
}

impl<D: Door> Wrap for Identify<D> {
    async fn wrap<S: HttpService>(&self, mut request: HttpRequest, next: S) -> HttpResponse {
        match self.door.identify(&mut request) {
            Ok(call) => {
                // For the outermost layer, which came before the call was known.
                if let Some(called) = request.extensions().get::<Called>() {
                    called.note(call);
                }
                request.extensions_mut().insert(call);
                pass(request, next).await
            }
            Err(status) => self.door.refuse(status),
        }
    }
}
