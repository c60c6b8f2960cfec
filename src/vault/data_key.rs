//! The key under which one user's data is sealed.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::chunks::{ChunkOpener, ChunkSealer, HEADER_LEN};
use super::seal::{self, KEY_LEN};
use super::{Owner, VaultError};
use crate::env::SharedEnv;

/// Where sealed data belongs: table, column and row. It opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AeadContext {
    /// `users.profile`; the row is the owner's.
    UserProfile,
    /// The content of a document in the document store. Another file of the same document has another time.
    DocumentContent {
        /// The document.
        id: Uuid,
        /// When the file was uploaded, as the sealed profile has it.
        uploaded_at: DateTime<Utc>,
    },
    /// `legal_holds.sealed_reason`; the row is the hold.
    HoldReason(Uuid),
    /// `review_steps.sealed_note`; the row is the step.
    ReviewNote(Uuid),
    /// `verification_attempts.sealed_answer`; the row is the attempt.
    ProviderAnswer(Uuid),
    /// `verification_attempts.sealed_reference`; the row is the attempt.
    ProviderReference(Uuid),
}

impl AeadContext {
    /// Table and column (which never contain the zero byte that ends them), then the row, then what tells its contents apart.
    fn associated(self, owner: Owner) -> Vec<u8> {
        let time = match self {
            Self::DocumentContent { uploaded_at, .. } => [
                uploaded_at.timestamp().to_be_bytes().as_slice(),
                uploaded_at.timestamp_subsec_nanos().to_be_bytes().as_slice(),
            ]
            .concat(),
            _ => Vec::new(),
        };
        let (column, row) = match self {
            Self::UserProfile => ("users.profile", owner.user_id),
            Self::DocumentContent { id, .. } => ("documents.content", id),
            Self::HoldReason(hold_id) => ("legal_holds.sealed_reason", hold_id),
            Self::ReviewNote(step_id) => ("review_steps.sealed_note", step_id),
            Self::ProviderAnswer(attempt_id) => ("verification_attempts.sealed_answer", attempt_id),
            Self::ProviderReference(attempt_id) => ("verification_attempts.sealed_reference", attempt_id),
        };
        let ids = [owner.client_id, owner.user_id, row].map(Uuid::into_bytes);
        [column.as_bytes(), &[0], ids.as_flattened(), &time].concat()
    }
}

/// A data key, unwrapped. It is wiped from memory when dropped.
#[derive(Clone)]
pub struct DataKey {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    owner: Owner,
    env: SharedEnv,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DataKey").finish_non_exhaustive()
    }
}

impl DataKey {
    pub(super) fn new(bytes: Zeroizing<[u8; KEY_LEN]>, owner: Owner, env: SharedEnv) -> Self {
        Self { bytes, owner, env }
    }

    /// Seals `plaintext` for its place, in the buffer it lies in: give it `SEAL_OVERHEAD` bytes of spare capacity and
    /// it is not even moved.
    #[must_use]
    pub fn seal(&self, place: &AeadContext, plaintext: Vec<u8>) -> Vec<u8> {
        seal::seal(&self.bytes, &place.associated(self.owner), plaintext, self.env.as_ref())
    }

    /// Opens what was sealed for this place, in the buffer it lies in.
    ///
    /// # Errors
    /// When it was altered, or sealed for another place or user.
    pub fn open(&self, place: &AeadContext, sealed: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        seal::open(&self.bytes, &place.associated(self.owner), sealed)
    }

    /// Begins to seal a file for its place: the header comes first.
    pub(super) fn seal_chunks(&self, place: &AeadContext) -> (ChunkSealer, [u8; HEADER_LEN]) {
        ChunkSealer::new(&self.bytes, &place.associated(self.owner), self.env.as_ref())
    }

    /// Begins to open a file that was sealed for this place.
    pub(super) fn open_chunks(&self, place: &AeadContext, header: &[u8]) -> Result<ChunkOpener, VaultError> {
        ChunkOpener::new(&self.bytes, &place.associated(self.owner), header)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::env::{Env, SystemEnv};

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let system = SystemEnv::default();
        let (attempt, other) = (system.new_id(), system.new_id());
        let owner = Owner { client_id: system.new_id(), user_id: system.new_id() };
        let key_of = |owner| DataKey::new(Zeroizing::new([9; KEY_LEN]), owner, Arc::new(SystemEnv::default()));
        let key = key_of(owner);
        let sealed = key.seal(&AeadContext::ProviderAnswer(attempt), b"answer".to_vec());

        assert_eq!(key.open(&AeadContext::ProviderAnswer(attempt), sealed.clone()), Ok(b"answer".to_vec()));
        for elsewhere in
            [AeadContext::ProviderAnswer(other), AeadContext::ProviderReference(attempt), AeadContext::UserProfile]
        {
            assert_eq!(key.open(&elsewhere, sealed.clone()), Err(VaultError::DoesNotOpen), "{elsewhere:?}");
        }
        for other_owner in [Owner { user_id: other, ..owner }, Owner { client_id: other, ..owner }] {
            let opened = key_of(other_owner).open(&AeadContext::ProviderAnswer(attempt), sealed.clone());
            assert_eq!(opened, Err(VaultError::DoesNotOpen));
        }
    }

    #[test]
    fn two_files_of_one_document_have_different_places() {
        let owner = Owner { client_id: Uuid::from_u128(1), user_id: Uuid::from_u128(2) };
        let at = |uploaded_at| AeadContext::DocumentContent { id: Uuid::from_u128(3), uploaded_at }.associated(owner);
        let first = DateTime::from_timestamp(1_790_000_000, 1).expect("a time");
        let second = DateTime::from_timestamp(1_790_000_000, 2).expect("a time");
        assert_ne!(at(first), at(second));
        assert_eq!(at(first), at(first));
    }
}
