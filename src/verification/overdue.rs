//! Attempts whose deadline has passed.

use crate::env::Env;
use crate::store::Store;

/// Attempts that one round moves.
const AT_ONCE: u64 = 256;

/// Makes attempts past their deadline REVIEW: with or without a worker, and any number of processes may do so at once.
/// An error is the log's; the next round finds the same attempts.
pub async fn review(store: &Store, env: &dyn Env) {
    match store.review_overdue_verifications(env, AT_ONCE).await {
        Ok(0) => {}
        Ok(overdue) => tracing::warn!(overdue, "verifications had no outcome by their deadline and wait for a review"),
        Err(error) => {
            tracing::warn!(%error, "overdue verifications could not be moved to review; the next round retries")
        }
    }
}
