//! Long computations, away from the threads that answer requests.

use tonic::Status;
use tracing::Span;

use crate::error::{ErrorReason, because};

/// From this size on, in bytes, decoding, hashing and sealing take so long that other requests would wait.
const LARGE: usize = 256 * 1024;

/// Does work on `size` bytes, on a thread for blocking work where it takes long. The work is in the caller's span.
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
    let span = Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(|error| {
        // What a panic said may hold personal data, and the text of this error quotes it.
        tracing::error!(panicked = error.is_panic(), "work on a large request did not end");
        because(ErrorReason::InternalError)
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
