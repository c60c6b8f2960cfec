//! The archive of events: signed files of JSON lines in the object store, and their verification.
//!
//! For each client and day there is a file of events and a manifest (a day of many events has several). The manifest has
//! the file's SHA-256, its first and last event, and the SHA-256 of the client's manifest before, so that none can be
//! changed or left out. Beside it lies its signature, Ed25519 under a key of the installation. Everything can be verified
//! without the service, see `docs/operations.md`.

mod manifest;
mod verify;
mod write;

pub use self::manifest::{Manifest, Place};
pub use self::verify::{Verified, verify};
pub use self::write::{Archived, Archiver};

use crate::store::StoreError;
use crate::vault::documents::DocumentError;

/// Why the archive stopped; the next run continues from there.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] DocumentError),
    /// A file does not match what is known about it.
    #[error("{file}: {problem}")]
    Broken {
        /// The key of the object.
        file: String,
        /// What is wrong.
        problem: String,
    },
}
