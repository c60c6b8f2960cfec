//! How long deliveries are kept.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::{DeliveryState, Store, StoreError};

/// Deliveries that one transaction deletes: a few milliseconds of locks without contention.
const AT_ONCE: u64 = 500;
/// Transactions of one run. The next run deletes what is left.
const BATCHES: usize = 2_000;

/// What a run has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deliveries that were deleted one by one.
    pub deliveries: u64,
    /// Partitions that were dropped, each the deliveries or the attempts of a day.
    pub partitions: u64,
}

/// Removes the deliveries that were delivered or failed longer ago than `keep`, with their attempts and bodies; and the
/// pending deliveries of an endpoint that was deleted as long ago, with the endpoint. On PostgreSQL whole days (UTC) are
/// dropped, and an attempt goes with the day of the attempt, that of its delivery with the day of the last one.
///
/// Pending deliveries stay whatever their age, and so does everything that was created within `keep`, so that it can be
/// replayed. Several replicas may run this at once; each skips rows that another has locked.
///
/// # Errors
/// `Unavailable` without the database; what was removed before stays removed.
pub async fn sweep(store: &Store, now: DateTime<Utc>, keep: Duration) -> Result<Swept, StoreError> {
    let keep = TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX);
    // `keep` reaches before the first date of the calendar.
    let Some(before) = now.checked_sub_signed(keep) else { return Ok(Swept::default()) };
    let (mut removed, mut batches) = (0, BATCHES);
    let partitions = store.drop_days(before).await?;
    for state in [DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Pending] {
        // Of a day that is not over, nothing is deleted that will be dropped.
        let before = if state == DeliveryState::Pending { before } else { store.retention_end(before) };
        for endpoint in store.endpoints_to_prune(state, before).await? {
            let mut from = None;
            while batches > 0 {
                batches -= 1;
                let pruned = store.prune_deliveries(endpoint, state, from, before, AT_ONCE).await?;
                removed += pruned.removed;
                // Another process deletes the rest of a short batch.
                if pruned.removed < AT_ONCE {
                    break;
                }
                from = pruned.reached;
            }
        }
    }
    while batches > 0 && store.prune_stray_attempts(store.retention_end(before)).await? {
        batches -= 1;
    }
    store.prune_replays(before).await?;
    store.prune_endpoints(before).await?;
    Ok(Swept { deliveries: removed, partitions })
}
