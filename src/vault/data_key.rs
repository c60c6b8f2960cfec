//! The key under which one user's data is sealed.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::seal::{self, KEY_LEN};
use super::{Owner, VaultError};
use crate::env::SharedEnv;

/// Where sealed data belongs: table, column and row. It opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AeadContext {
    /// `users.profile`; the row is the owner's.
    UserProfile,
    /// The content of a document in the document store.
    DocumentContent(Uuid),
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
    /// Table and column (which never contain the zero byte that ends them), then the row.
    fn associated(self, owner: Owner) -> Vec<u8> {
        let (column, row) = match self {
            Self::UserProfile => ("users.profile", owner.user_id),
            Self::DocumentContent(document_id) => ("documents.content", document_id),
            Self::HoldReason(hold_id) => ("legal_holds.sealed_reason", hold_id),
            Self::ReviewNote(step_id) => ("review_steps.sealed_note", step_id),
            Self::ProviderAnswer(attempt_id) => ("verification_attempts.sealed_answer", attempt_id),
            Self::ProviderReference(attempt_id) => ("verification_attempts.sealed_reference", attempt_id),
        };
        let ids = [owner.client_id, owner.user_id, row].map(Uuid::into_bytes);
        [column.as_bytes(), &[0], ids.as_flattened()].concat()
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::env::{Env, SystemEnv};

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let system = SystemEnv::default();
        let (document, other) = (system.new_id(), system.new_id());
        let owner = Owner { client_id: system.new_id(), user_id: system.new_id() };
        let key_of = |owner| DataKey::new(Zeroizing::new([9; KEY_LEN]), owner, Arc::new(SystemEnv::default()));
        let key = key_of(owner);
        let sealed = key.seal(&AeadContext::DocumentContent(document), b"scan".to_vec());

        assert_eq!(key.open(&AeadContext::DocumentContent(document), sealed.clone()), Ok(b"scan".to_vec()));
        for elsewhere in
            [AeadContext::DocumentContent(other), AeadContext::DocumentContent(owner.user_id), AeadContext::UserProfile]
        {
            assert_eq!(key.open(&elsewhere, sealed.clone()), Err(VaultError::DoesNotOpen), "{elsewhere:?}");
        }
        for other_owner in [Owner { user_id: other, ..owner }, Owner { client_id: other, ..owner }] {
            let opened = key_of(other_owner).open(&AeadContext::DocumentContent(document), sealed.clone());
            assert_eq!(opened, Err(VaultError::DoesNotOpen));
        }
    }
}
