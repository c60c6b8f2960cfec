//! Deleting the content of removed documents. The change that removes a document notes its object; the note is dropped
//! once the object is gone, whether the request does that itself or, after a crash, the sweep.

use super::orphans::SweepError;
use crate::store::Store;
use crate::vault::documents::DocumentStore;

/// How many objects one round deletes.
const AT_ONCE: u64 = 500;

/// Deletes objects that are noted as discarded.
///
/// # Errors
/// When the database or the document store is unavailable; the notes stay.
pub(super) async fn delete(store: &Store, documents: &DocumentStore, objects: Vec<String>) -> Result<(), SweepError> {
    if objects.is_empty() {
        return Ok(());
    }
    documents.delete_all(objects.clone()).await?;
    store.prune_objects_to_delete(&objects).await?;
    Ok(())
}

/// Deletes all objects that are noted as discarded. Two replicas may do so at once.
///
/// # Errors
/// When the database or the document store is unavailable; what is left is for the next time.
pub(super) async fn sweep(store: &Store, documents: &DocumentStore) -> Result<(), SweepError> {
    loop {
        let objects = store.objects_to_delete(AT_ONCE).await?;
        if objects.is_empty() {
            return Ok(());
        }
        delete(store, documents, objects).await?;
    }
}
