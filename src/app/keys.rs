//! The check of the master keys at the start, and the secrets that they seal for the service itself.
//!
//! If a key that sealed data is not in the ring, the service does not start, instead of failing later at the data of some
//! user.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::open::{AppError, Resources};
use crate::service::master_keys::{marker, register, registered};
use crate::vault::{BlindIndex, EvidenceKey, KeyedHash, Vault, VaultError};

/// Name of the key of idempotency fingerprints.
const FINGERPRINTS: &str = "idempotency-fingerprints";
/// Name of the key that signs evidence.
const EVIDENCE: &str = "evidence-signing-key";
/// Name of the secret of the index.
const INDEX: &str = "blind-index";
const SECRET_BYTES: usize = 32;
/// Name of the database's id. It is not secret, but like a secret it is created once and never changed.
const INSTALLATION: &str = "installation";

/// Checks that the ring has every key that sealed data, and writes the marker of the active key.
///
/// # Errors
/// A key is missing, or its bytes differ from those that sealed data.
pub(super) async fn check(resources: &Resources) -> Result<(), AppError> {
    let Resources { store, vault, env, .. } = resources;
    let known: Vec<String> = registered(store).await?.into_iter().map(|key| key.id).collect();
    if let Some(id) = known.iter().find(|id| !vault.key_ids().any(|key| key == *id)) {
        return Err(AppError::MasterKeyMissing { id: id.clone() });
    }
    // The others first, so that a refusal leaves no marker.
    for id in known.into_iter().filter(|id| id != vault.active_key_id()) {
        if let Some(stored) = store.find_secret(&marker(&id)).await? {
            opens(vault, id, &stored)?;
        }
    }
    let stored = register(store, vault, env.as_ref()).await?;
    opens(vault, vault.active_key_id().to_owned(), &stored)
}

fn opens(vault: &Vault, id: String, stored: &[u8]) -> Result<(), AppError> {
    match vault.open_secret(&marker(&id), stored) {
        Ok(_) => Ok(()),
        Err(VaultError::DoesNotOpen) => Err(AppError::MasterKeyDiffers { id }),
        Err(error) => Err(AppError::start(error)),
    }
}

/// The keyed hash of idempotency fingerprints. Its key never changes, or stored idempotency keys would not replay.
///
/// # Errors
/// The database is unreachable, or the secret does not open.
pub(super) async fn fingerprints(resources: &Resources) -> Result<KeyedHash, AppError> {
    let mut key = Zeroizing::new([0; SECRET_BYTES]);
    resources.env.fill_random(key.as_mut());
    Ok(KeyedHash::new(&get_or_create(resources, FINGERPRINTS, key.as_ref()).await?))
}

/// The digests of the index. Their secret never changes, or stored entries would not be found; a new master key does not
/// change it.
///
/// # Errors
/// The database is unreachable, or the secret does not open.
pub(super) async fn index(resources: &Resources) -> Result<BlindIndex, AppError> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    resources.env.fill_random(secret.as_mut());
    Ok(BlindIndex::new(&get_or_create(resources, INDEX, secret.as_ref()).await?))
}

/// The id of this installation: of the database, and so of all its replicas. It separates the installation's objects in
/// the document store from those of others.
///
/// # Errors
/// The database is unreachable, or the stored id does not open.
pub(super) async fn installation(resources: &Resources) -> Result<Uuid, AppError> {
    let id = get_or_create(resources, INSTALLATION, resources.env.new_id().as_bytes()).await?;
    Uuid::from_slice(&id).map_err(AppError::start)
}

/// The key that signs the archive of events and the certificates of erasures. It never changes, so that one public key
/// verifies all of them.
///
/// # Errors
/// The database is unreachable, or the stored key does not open.
pub(super) async fn evidence_key(resources: &Resources) -> Result<EvidenceKey, AppError> {
    let mut seed = Zeroizing::new([0; SECRET_BYTES]);
    resources.env.fill_random(seed.as_mut());
    let stored = get_or_create(resources, EVIDENCE, seed.as_ref()).await?;
    EvidenceKey::of_seed(&stored).ok_or_else(|| AppError::start("the stored key of evidence has not 32 bytes"))
}

/// The secret of this name; stores `new` if there is none.
async fn get_or_create(resources: &Resources, name: &str, new: &[u8]) -> Result<Zeroizing<Vec<u8>>, AppError> {
    let Resources { store, vault, env, .. } = resources;
    let stored = store.ensure_secret(name, vault.seal_secret(name, new), env.now()).await?;
    vault.open_secret(name, &stored).map_err(AppError::start)
}
