//! The [`Directory`] of the running service: rows in the store, secrets sealed by the vault.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::directory::{ClientKeys, Directory, DirectoryError, Lookup, SigningKey};
use crate::store::{ApiKeyOwner, CredentialRecord, SigningKeyRecord, Store, StoreError};
use crate::vault::{Vault, VaultError};

/// The store and the vault, as authentication sees them.
pub struct StoreDirectory {
    store: Store,
    vault: Vault,
}

impl StoreDirectory {
    /// A directory over `store`, whose secrets `vault` seals.
    #[must_use]
    pub fn new(store: Store, vault: Vault) -> Self {
        Self { store, vault }
    }

    fn seal(&self, key: &SigningKey) -> SigningKeyRecord {
        SigningKeyRecord {
            kid: key.kid.clone(),
            public_key: key.public_key.clone(),
            sealed_private_key: self.vault.seal_secret(&sealed_name(&key.kid), &key.private_key),
            created_at: key.created_at,
            signs_from: key.signs_from,
            retires_at: key.retires_at,
        }
    }

    fn open(&self, record: SigningKeyRecord) -> Result<SigningKey, VaultError> {
        let private_key = self.vault.open_secret(&sealed_name(&record.kid), &record.sealed_private_key)?;
        Ok(SigningKey {
            kid: record.kid,
            public_key: record.public_key,
            private_key,
            created_at: record.created_at,
            signs_from: record.signs_from,
            retires_at: record.retires_at,
        })
    }
}

/// The name under which a private key is sealed; it binds the sealed bytes to their row.
#[must_use]
pub fn sealed_name(kid: &str) -> String {
    format!("signing-key/{kid}")
}

impl Directory for StoreDirectory {
    fn client_by_api_key<'a>(&'a self, digest: &'a [u8; 32]) -> Lookup<'a, Option<ApiKeyOwner>> {
        Box::pin(async move { Ok(self.store.client_by_api_key(digest).await?) })
    }

    fn client_keys(&self, client_id: Uuid) -> Lookup<'_, Option<ClientKeys>> {
        Box::pin(async move {
            let Some(client) = self.store.find_client(client_id).await? else { return Ok(None) };
            let credentials = self.store.credentials_of(client_id).await?;
            let keys = credentials.into_iter().map(|credential| (credential.api_key_digest, credential.expires_at));
            Ok(Some(ClientKeys { role: client.role, is_disabled: client.disabled_at.is_some(), keys: keys.collect() }))
        })
    }

    fn credentials_of(&self, client_id: Uuid) -> Lookup<'_, Vec<CredentialRecord>> {
        Box::pin(async move { Ok(self.store.credentials_of(client_id).await?) })
    }

    fn signing_keys(&self) -> Lookup<'_, Vec<SigningKey>> {
        Box::pin(async move {
            let records = self.store.signing_keys().await?;
            Ok(records.into_iter().map(|record| self.open(record)).collect::<Result<_, _>>()?)
        })
    }

    fn insert_signing_key<'a>(&'a self, key: &'a SigningKey, others_retire_at: DateTime<Utc>) -> Lookup<'a, ()> {
        Box::pin(async move {
            self.store.insert_signing_key(&self.seal(key), Some(others_retire_at)).await?;
            Ok(())
        })
    }

    fn ensure_first_signing_key<'a>(&'a self, key: &'a SigningKey) -> Lookup<'a, ()> {
        Box::pin(async move {
            self.store.ensure_first_signing_key(&self.seal(key)).await?;
            Ok(())
        })
    }

    fn ensure_secret<'a>(
        &'a self,
        name: &'a str,
        fresh: &'a [u8],
        now: DateTime<Utc>,
    ) -> Lookup<'a, Zeroizing<Vec<u8>>> {
        Box::pin(async move {
            let sealed = self.store.ensure_secret(name, self.vault.seal_secret(name, fresh), now).await?;
            Ok(self.vault.open_secret(name, &sealed)?)
        })
    }
}

impl From<StoreError> for DirectoryError {
    fn from(error: StoreError) -> Self {
        Self { is_unavailable: matches!(error, StoreError::Unavailable(_)), source: error.into() }
    }
}

impl From<VaultError> for DirectoryError {
    fn from(error: VaultError) -> Self {
        Self { is_unavailable: false, source: error.into() }
    }
}
