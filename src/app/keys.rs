//! The master keys that have sealed something, and the secrets that they seal for the service itself.
//!
//! Every master key leaves a sealed mark in the database when it becomes active. A key whose mark is there but which is
//! not in the ring is missing: the service refuses to start instead of failing at some user's data later.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::open::{AppError, Opened};
use crate::store::{Store, StoreError};
use crate::vault::{KeyedHash, VaultError};

/// Names of the marks; the key's id follows.
const MARK: &str = "master-key/";
/// Name of the key of idempotency fingerprints.
const FINGERPRINTS: &str = "idempotency-fingerprints";
const SECRET_BYTES: usize = 32;
/// Name of the database's own id. It is no secret, but made once and never changed like one.
const INSTALLATION: &str = "installation";

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
    let Opened { store, vault, ambient, .. } = opened;
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
    let mut key = Zeroizing::new([0; SECRET_BYTES]);
    opened.ambient.fill_random(key.as_mut());
    Ok(KeyedHash::new(&made_once(opened, FINGERPRINTS, key.as_ref()).await?))
}

/// The id of this installation: of the database, and so of all its replicas. Its objects in the document store are told
/// by it from those of others.
///
/// # Errors
/// The database is away, or the stored id does not open.
pub(super) async fn installation(opened: &Opened) -> Result<Uuid, AppError> {
    let id = made_once(opened, INSTALLATION, opened.ambient.new_id().as_bytes()).await?;
    Uuid::from_slice(&id).map_err(AppError::start)
}

/// The secret of this name; `new` where there is none yet.
async fn made_once(opened: &Opened, name: &str, new: &[u8]) -> Result<Zeroizing<Vec<u8>>, AppError> {
    let Opened { store, vault, ambient, .. } = opened;
    let stored = store.ensure_secret(name, vault.seal_secret(name, new), ambient.now()).await?;
    vault.open_secret(name, &stored).map_err(AppError::start)
}
