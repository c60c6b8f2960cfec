//! Long computations, away from the threads that answer requests.

use std::sync::LazyLock;

use tokio::sync::Semaphore;
use tonic::Status;
use tracing::Span;

use crate::error::{ErrorReason, with_reason};

/// From this size on, in bytes, decoding, hashing and sealing take about a millisecond, and other requests would wait.
const LARGE: usize = 64 * 1024;

/// One for each core but one: the runtime has threads for hundreds, which would leave little of the cores to those that
/// serve.
static PERMITS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Semaphore::new(Ord::max(cores - 1, 1))
});

/// Does work on `size` bytes, on a thread for blocking work where it takes long, and when it is its turn. The work is in
/// the caller's span.
///
/// # Errors
/// INTERNAL where the work panics, or the runtime ends.
pub async fn off_thread<T, W>(size: usize, work: W) -> Result<T, Status>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    if size < LARGE {
        return Ok(work());
    }
    // It is never closed.
    let permit = PERMITS.acquire().await.ok();
    let span = Span::current();
    let work = move || {
        // Held by the work, not by the request: the work goes on when its caller has gone away.
        let _held = permit;
        span.in_scope(work)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        // What a panic said may hold personal data, and the text of this error quotes it.
        tracing::error!(panicked = error.is_panic(), "work on a large request did not end");
        with_reason(ErrorReason::InternalError)
    })
}

#[cfg(test)]
mod tests {
    use std::thread::current;

    use super::*;
    use crate::error::details;

    #[tokio::test]
    async fn only_work_on_much_leaves_the_thread() {
        let here = current().id();
        assert_eq!(off_thread(LARGE - 1, || current().id()).await.expect("the work ends"), here);
        assert_ne!(off_thread(LARGE, || current().id()).await.expect("the work ends"), here);
    }

    #[tokio::test]
    async fn a_panic_elsewhere_is_an_internal_error_that_does_not_quote_it() {
        let status = off_thread(LARGE, || panic!("of the test")).await.expect_err("a panic");
        assert_eq!(details(&status).expect("details").reason, ErrorReason::InternalError);
        assert!(!format!("{status:?}").contains("of the test"));
    }
}
