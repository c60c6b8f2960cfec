//! What a call costs in its client's rate limit beyond one: only the service knows, once it has seen the request.

use std::fmt;
use std::sync::Arc;

/// Charges a call's client for more calls. An extension of a request, where there is a rate limit.
#[derive(Clone)]
pub struct ExtraCost(Arc<dyn Fn(u16) + Send + Sync>);

impl ExtraCost {
    /// Charges by `charge`, which takes the number of further calls.
    pub fn new(charge: impl Fn(u16) + Send + Sync + 'static) -> Self {
        Self(Arc::new(charge))
    }

    /// Charges for `calls` more. The call itself goes on; the next ones wait.
    pub fn charge(&self, calls: u16) {
        (self.0)(calls);
    }
}

impl fmt::Debug for ExtraCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtraCost").finish_non_exhaustive()
    }
}
