//! The master keys that have sealed something, and the secrets that they seal for the service itself.
//!
//! Every master key leaves a sealed mark in the database when it becomes active. A key whose mark is there but which is
//! not in the ring is missing: the service refuses to start instead of failing at some user's data later.

use super::open::{AppError, Opened};
use crate::store::{Store, StoreError};
use crate::vault::{KeyedHash, VaultError};

/// Names of the marks; the key's id follows.
const MARK: &str = "master-key/";
/// Name of the key of idempotency fingerprints.
const FINGERPRINTS: &str = "idempotency-fingerprints";
const SECRET_BYTES: usize = 32;

/// The ids of the master keys that have sealed something.
pub(super) async fn registered(store: &Store) -> Result<Vec<String>, StoreError> {
    let names = store.secret_names().await?;
    Ok(names.iter().filter_map(|name| name.strip_prefix(MARK)).map(str::to_owned).collect())
}

/// Checks that the ring has every key that sealed something, and marks the active one.
///
/// # Errors
/// A key is missing, or has other bytes than the key of its name once had.
pub(super) async fn check(opened: &Opened) -> Result<(), AppError> {
    let Opened { store, vault, ambient } = opened;
    for id in registered(store).await? {
        if !vault.key_ids().any(|known| known == id) {
            return Err(AppError::MasterKeyMissing { id });
        }
    }
    for id in vault.key_ids().map(str::to_owned).collect::<Vec<_>>() {
        let name = format!("{MARK}{id}");
        let is_active = vault.key_ids().next() == Some(id.as_str());
        let stored = if is_active {
            store.ensure_secret(&name, vault.seal_secret(&name, &[]), ambient.now()).await?
        } else {
            match store.find_secret(&name).await? {
                Some(stored) => stored,
                None => continue,
            }
        };
        match vault.open_secret(&name, &stored) {
            Ok(_) => {}
            Err(VaultError::DoesNotOpen) => return Err(AppError::MasterKeyDiffers { id }),
            Err(error) => return Err(AppError::start(error)),
        }
    }
    Ok(())
}

/// The keyed hash of idempotency fingerprints; its key is made once and never changes, or old keys would not replay.
///
/// # Errors
/// The database is away, or the secret does not open.
pub(super) async fn fingerprints(opened: &Opened) -> Result<KeyedHash, AppError> {
    let Opened { store, vault, ambient } = opened;
    let mut key = zeroize::Zeroizing::new([0; SECRET_BYTES]);
    ambient.fill_random(key.as_mut());
    let sealed = vault.seal_secret(FINGERPRINTS, key.as_ref());
    let stored = store.ensure_secret(FINGERPRINTS, sealed, ambient.now()).await?;
    let key = vault.open_secret(FINGERPRINTS, &stored).map_err(AppError::start)?;
    Ok(KeyedHash::new(&key))
}
