//! How long a record of what was sent is kept.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::{DEAD, DELIVERED, PENDING, Store, StoreError};

/// Deliveries that one transaction removes: a few milliseconds of locks that nobody else wants.
const AT_ONCE: u64 = 500;
/// Transactions of one sweep. What is left then, of an installation that never swept before, is the next one's.
const BATCHES: usize = 2_000;

/// Removes the deliveries that were delivered or given up longer ago than `keep`, with their attempts and bodies; and what
/// was left to send to an endpoint that was removed as long ago, with the endpoint. Returns how many deliveries it removed.
///
/// What is still to be tried stays however old it is, and so does everything that was made within `keep`: a replay of
/// any such time finds all of it. Several replicas may sweep at once; each passes over what another has in hand.
///
/// # Errors
/// `Unavailable` without the database; what is removed by then is removed.
pub async fn sweep(store: &Store, now: DateTime<Utc>, keep: Duration) -> Result<u64, StoreError> {
    let keep = TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX);
    // Before time began there was nothing.
    let Some(before) = now.checked_sub_signed(keep) else { return Ok(0) };
    let (mut removed, mut batches) = (0, BATCHES);
    for state in [DELIVERED, DEAD, PENDING] {
        for endpoint_id in store.endpoints_to_prune(state, before).await? {
            let mut from = None;
            while batches > 0 {
                batches -= 1;
                let pruned = store.prune_deliveries(endpoint_id, state, from, before, AT_ONCE).await?;
                removed += pruned.removed;
                // A batch that another process has in hand is that process's.
                if pruned.removed < AT_ONCE {
                    break;
                }
                from = pruned.reached;
            }
        }
    }
    store.prune_endpoints(before).await?;
    Ok(removed)
}
