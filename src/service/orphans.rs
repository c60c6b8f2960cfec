//! Removing the content of documents that were never created: a crash, or a request that failed, between the upload and
//! the commit of the row leaves an object without a row.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;

use super::discarded;
use crate::store::{Store, StoreError};
use crate::vault::documents::{DocumentError, DocumentStore, hour_of};

/// How long after the end of its hour an upload may still be followed by its row. Far above the ten minutes that the
/// configuration allows a request, and any difference between the clocks of two replicas.
const GRACE: TimeDelta = TimeDelta::hours(1);
/// How many names are in memory at a time.
const PAGE: usize = 1_000;
const HOUR: TimeDelta = TimeDelta::hours(1);
/// The watermark's name.
const WATERMARK: &str = "orphaned-documents";

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Hours of uploads that were listed.
    pub hours: usize,
    /// Objects that were deleted.
    pub orphans: usize,
}

/// Why a sweep stopped; the next one continues from there.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The document store.
    #[error(transparent)]
    Documents(#[from] DocumentError),
}

/// Deletes the objects of removed documents, and among this installation's uploads of every hour that ended more than an
/// hour before `now` the objects without a row.
///
/// Each hour is listed once in the life of a deployment; the watermark remembers how far that is. With nothing to do it
/// costs two reads of a row. Two replicas may sweep at once: both delete the same objects.
///
/// # Errors
/// When the database or the document store is unavailable.
pub async fn sweep(store: &Store, documents: &DocumentStore, now: DateTime<Utc>) -> Result<Swept, SweepError> {
    discarded::sweep(store, documents).await?;
    let end = hour_of(now - GRACE);
    let mut swept = Swept::default();
    let mut hour = match store.watermark(WATERMARK).await? {
        Some(reached) => reached,
        None => {
            // A database that never swept has no uploads of its own yet.
            store.advance_watermark(WATERMARK, end).await?;
            end
        }
    };
    while hour < end {
        swept.orphans += sweep_hour(store, documents, hour).await?;
        swept.hours += 1;
        hour += HOUR;
        store.advance_watermark(WATERMARK, hour).await?;
    }
    Ok(swept)
}

async fn sweep_hour(store: &Store, documents: &DocumentStore, hour: DateTime<Utc>) -> Result<usize, SweepError> {
    let mut count = 0;
    let mut pages = std::pin::pin!(documents.list_hour(hour).chunks(PAGE));
    while let Some(page) = pages.next().await {
        let mut orphans = page.into_iter().collect::<Result<Vec<_>, _>>()?;
        let referenced = store.referenced_object_keys(&orphans).await?;
        orphans.retain(|key| !referenced.contains(key));
        count += orphans.len();
        documents.delete_all(orphans).await?;
    }
    documents.discard_unfinished(hour).await?;
    Ok(count)
}
