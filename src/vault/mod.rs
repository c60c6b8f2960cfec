//! Sealing: a key ring that wraps one data key per user, under which the user's personal data is sealed.
//!
//! Everything is AES-256-GCM: files in chunks under keys of their own, all else with random 96-bit nonces. What is sealed is bound to its place (associated data), so that
//! no ciphertext can be moved to another user, column, row or purpose and still open.

mod blind_index;
mod chunks;
mod data_key;
pub mod documents;
mod evidence_key;
mod files;
mod key_ring;
mod keyed_hash;
mod seal;

use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::env::SharedEnv;

pub use blind_index::BlindIndex;
pub use data_key::{AeadContext, DataKey};
pub use evidence_key::{EvidenceKey, is_signed};
pub use files::{FileError, FileReader, FileWriter};
pub use key_ring::{KeyRing, KeyRingError};
pub use keyed_hash::{KeyedHash, KeyedHashContext};
pub use seal::SEAL_OVERHEAD;

use seal::KEY_LEN;

/// Whose data a data key seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
}

/// Why something sealed does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It was altered, moved from its place or sealed under another key.
    #[error("the sealed data does not open: it was altered, moved or sealed under another key")]
    DoesNotOpen,
    /// It is too short, or of a format this version does not know.
    #[error("the sealed data has an unknown format")]
    UnknownFormat,
    /// The master key that wrapped it is not in the ring.
    #[error("the master key {0:?} is not in the key ring")]
    UnknownMasterKey(String),
}

/// The key ring at work. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    ring: Arc<KeyRing>,
    env: SharedEnv,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vault").field("ring", &self.ring).finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault over `ring`.
    #[must_use]
    pub fn new(ring: KeyRing, env: SharedEnv) -> Self {
        Self { ring: Arc::new(ring), env }
    }

    /// The ids of the master keys, the active one first.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.ring.ids()
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn active_key_id(&self) -> &str {
        self.ring.active_id()
    }

    /// A new data key for `owner`, and the same wrapped by the active master key, to be stored beside the data.
    ///
    /// Under one master key about four thousand million keys may be wrapped before random nonces could meet; rotate
    /// the ring long before.
    #[must_use]
    pub fn new_data_key(&self, owner: Owner) -> (DataKey, Vec<u8>) {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        self.env.fill_random(bytes.as_mut_slice());
        let wrapped = self.ring.wrap(&data_key_purpose(owner), bytes.as_slice(), self.env.as_ref());
        (DataKey::new(bytes, owner, Arc::clone(&self.env)), wrapped)
    }

    /// Unwraps the data key of `owner`.
    ///
    /// # Errors
    /// When its master key is not in the ring, or it was altered or belongs to another user.
    pub fn open_data_key(&self, owner: Owner, wrapped: &[u8]) -> Result<DataKey, VaultError> {
        let opened = self.ring.unwrap(&data_key_purpose(owner), wrapped)?;
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        if opened.len() != KEY_LEN {
            return Err(VaultError::UnknownFormat);
        }
        bytes.copy_from_slice(&opened);
        Ok(DataKey::new(bytes, owner, Arc::clone(&self.env)))
    }

    /// The data key of `owner` wrapped by the active master key; None: it is already.
    ///
    /// # Errors
    /// As [`Vault::open_data_key`].
    pub fn rewrap_data_key(&self, owner: Owner, wrapped: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.ring.rewrap(&data_key_purpose(owner), wrapped, self.env.as_ref())
    }

    /// The secret of this name sealed under the active master key; None: it is already.
    ///
    /// # Errors
    /// As [`Vault::open_secret`].
    pub fn rewrap_secret(&self, name: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.ring.rewrap(&secret_purpose(name), sealed, self.env.as_ref())
    }

    /// The id of the master key that sealed a data key or a secret.
    ///
    /// # Errors
    /// `UnknownFormat` for bytes that no master key sealed.
    pub fn master_key_of(sealed: &[u8]) -> Result<&str, VaultError> {
        KeyRing::id_of(sealed)
    }

    /// Seals a secret of the service itself (a signing key, a random key) under the active master key, bound to `name`.
    #[must_use]
    pub fn seal_secret(&self, name: &str, secret: &[u8]) -> Vec<u8> {
        self.ring.wrap(&secret_purpose(name), secret, self.env.as_ref())
    }

    /// Opens what `seal_secret` sealed under the same name.
    ///
    /// # Errors
    /// When its master key is not in the ring, or it was altered or has another name.
    pub fn open_secret(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.ring.unwrap(&secret_purpose(name), sealed)
    }
}

/// Of fixed length after its label, hence unambiguous.
fn data_key_purpose(owner: Owner) -> Vec<u8> {
    [b"kira-users/data-key/".as_slice(), owner.client_id.as_bytes(), owner.user_id.as_bytes()].concat()
}

fn secret_purpose(name: &str) -> Vec<u8> {
    [b"kira-users/secret/".as_slice(), name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Env, SystemEnv};

    fn vault_with(ring: &str) -> Vault {
        Vault::new(KeyRing::parse(ring).expect("a good ring"), Arc::new(SystemEnv::default()))
    }

    fn key(fill: u8) -> String {
        base64_simd::STANDARD.encode_to_string([fill; 32])
    }

    fn owner() -> Owner {
        let system = SystemEnv::default();
        Owner { client_id: system.new_id(), user_id: system.new_id() }
    }

    #[test]
    fn a_wrapped_data_key_opens_for_its_owner_only() {
        let vault = vault_with(&format!("a:{}", key(1)));
        let owner_of_key = owner();
        let (data_key, wrapped) = vault.new_data_key(owner_of_key);
        let sealed = data_key.seal(&AeadContext::UserProfile, b"Ada".to_vec());
        let again = vault.open_data_key(owner_of_key, &wrapped).expect("its own key");
        assert_eq!(again.open(&AeadContext::UserProfile, sealed).as_deref(), Ok(b"Ada".as_slice()));
        let other_owner = Owner { user_id: owner().user_id, ..owner_of_key };
        assert_eq!(vault.open_data_key(other_owner, &wrapped).err(), Some(VaultError::DoesNotOpen));
        let other_client = Owner { client_id: owner().client_id, ..owner_of_key };
        assert_eq!(vault.open_data_key(other_client, &wrapped).err(), Some(VaultError::DoesNotOpen));
    }

    #[test]
    fn what_an_older_master_key_sealed_opens_while_it_is_in_the_ring() {
        let sealed = vault_with(&format!("old:{}", key(1))).seal_secret("pepper", b"salt");
        let rotated = vault_with(&format!("new:{},old:{}", key(2), key(1)));
        assert_eq!(rotated.open_secret("pepper", &sealed).as_deref().map(Vec::as_slice), Ok(b"salt".as_slice()));
        let dropped = vault_with(&format!("new:{}", key(2)));
        let error = dropped.open_secret("pepper", &sealed).err();
        assert_eq!(error, Some(VaultError::UnknownMasterKey("old".to_owned())));
    }

    #[test]
    fn a_secret_opens_under_its_own_name_only() {
        let vault = vault_with(&format!("a:{}", key(1)));
        let sealed = vault.seal_secret("fingerprint", b"salt");
        assert_eq!(vault.open_secret("api-key", &sealed).err(), Some(VaultError::DoesNotOpen));
    }

    #[test]
    fn damaged_secrets_are_refused_at_any_length() {
        let vault = vault_with(&format!("a:{}", key(1)));
        let sealed = vault.seal_secret("pepper", b"salt");
        for length in 0..sealed.len() {
            assert!(vault.open_secret("pepper", &sealed[..length]).is_err(), "{length} bytes");
        }
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(vault.open_secret("pepper", &altered).is_err(), "byte {position}");
        }
    }

    #[test]
    fn debug_shows_ids_only() {
        let vault = vault_with(&format!("a:{}", key(0x41)));
        let (data_key, _) = vault.new_data_key(owner());
        let shown = format!("{vault:?} {data_key:?}");
        assert!(shown.contains("\"a\"") && !shown.contains("QUFB") && !shown.contains("65"), "{shown}");
    }
}
