//! Attempts whose deadline has passed.

use crate::ambient::Ambient;
use crate::store::Store;

/// Attempts that one round moves.
const AT_ONCE: u64 = 256;

/// Makes attempts past their deadline REVIEW: with or without a worker, and any number of processes may do so at once.
/// An error is the log's; the next round finds the same attempts.
pub async fn review(store: &Store, ambient: &dyn Ambient) {
    match store.review_overdue_verifications(ambient, AT_ONCE).await {
        Ok(0) => {}
        Ok(overdue) => tracing::warn!(overdue, "verifications had no outcome by their deadline and wait for a review"),
        Err(error) => tracing::warn!(%error, "deadlines of verifications are looked at later"),
    }
}
