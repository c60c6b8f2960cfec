//! Creates, rotates and disables clients: for the command line and the embedded demo client.

use chrono::TimeDelta;
use uuid::Uuid;

use super::credentials::{ApiKeyHash, Credentials};
use super::directory::{Directory, DirectoryError};
use super::password::Passwords;
use super::role::Role;
use crate::env::SharedEnv;
use crate::store::{ClientRecord, CredentialRecord, Store};

/// What [`ClientAdmin::import`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The result for the credentials.
    pub credentials: ImportedCredentials,
    /// The client has a new name.
    pub is_renamed: bool,
    /// The role that the client keeps, if the import has another. A role cannot change: users and reviews belong to the
    /// role that created them.
    pub kept_role: Option<Role>,
}

/// The result of [`ClientAdmin::import`] for the credentials of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportedCredentials {
    /// The client is new.
    Made,
    /// It had these credentials already.
    Unchanged,
    /// It had others, which expire after the overlap.
    Replaced,
    /// It had the API key with another password, which expires after the overlap.
    NewPassword,
    /// It is disabled, and stays disabled.
    Disabled,
    /// It had this API key before; one that was replaced does not come back, and the credentials did not change.
    Outdated,
}

/// Manages the clients of the installation.
pub struct ClientAdmin {
    store: Store,
    env: SharedEnv,
    api_key_hash: ApiKeyHash,
    passwords: Passwords,
}

impl ClientAdmin {
    /// Over the clients in `store`; `directory` holds the secret behind the digests of API keys.
    ///
    /// # Errors
    /// When that secret cannot be read.
    pub async fn open(store: Store, directory: &dyn Directory, env: SharedEnv) -> Result<Self, DirectoryError> {
        let api_key_hash = ApiKeyHash::open(directory, env.as_ref()).await?;
        Ok(Self { store, env, api_key_hash, passwords: Passwords::new() })
    }

    /// Creates a client. Its credentials cannot be read again.
    ///
    /// # Errors
    /// The store's.
    pub async fn create(&self, name: &str, role: Role) -> Result<Credentials, DirectoryError> {
        let client = self.new_client(name, role);
        let (credentials, record) = self.new_credentials(client.id).await?;
        self.store.insert_client(&client, &record).await?;
        Ok(credentials)
    }

    /// Creates a client if there is none at all, and sets the watermark `mark`. None: there was a client.
    ///
    /// # Errors
    /// The store's.
    pub async fn create_first(
        &self,
        name: &str,
        role: Role,
        mark: &str,
    ) -> Result<Option<Credentials>, DirectoryError> {
        let client = self.new_client(name, role);
        let (credentials, record) = self.new_credentials(client.id).await?;
        Ok(self.store.insert_first_client(&client, &record, mark).await?.then_some(credentials))
    }

    /// Creates or updates a client with credentials that were generated elsewhere. They replace others as a rotation does.
    /// Idempotent; several processes may import the same client at once.
    ///
    /// # Errors
    /// The store's; also when the API key belongs to another client.
    pub async fn import(
        &self,
        name: &str,
        role: Role,
        credentials: &Credentials,
        overlap: TimeDelta,
    ) -> Result<Imported, DirectoryError> {
        match self.import_once(name, role, credentials, overlap).await {
            // Another process may have written the same client meanwhile, which the second pass finds.
            Err(error) if !error.is_unavailable => self.import_once(name, role, credentials, overlap).await,
            outcome => outcome,
        }
    }

    async fn import_once(
        &self,
        name: &str,
        role: Role,
        credentials: &Credentials,
        overlap: TimeDelta,
    ) -> Result<Imported, DirectoryError> {
        let now = self.env.now();
        let with = |credentials| Imported { credentials, is_renamed: false, kept_role: None };
        let Some(known) = self.store.find_client(credentials.client_id).await? else {
            let client = ClientRecord {
                id: credentials.client_id,
                name: name.to_owned(),
                role: role.as_str().to_owned(),
                created_at: now,
                disabled_at: None,
            };
            self.store.insert_client(&client, &self.record(credentials).await?).await?;
            return Ok(with(ImportedCredentials::Made));
        };
        if known.disabled_at.is_some() {
            return Ok(with(ImportedCredentials::Disabled));
        }
        let outcome = self.import_credentials(credentials, overlap).await?;
        let is_renamed = known.name != name;
        if is_renamed {
            self.store.rename_client(known.id, name).await?;
        }
        let kept_role = known.role.parse().ok().filter(|kept| *kept != role);
        Ok(Imported { credentials: outcome, is_renamed, kept_role })
    }

    /// Brings a client that exists to these credentials.
    async fn import_credentials(
        &self,
        credentials: &Credentials,
        overlap: TimeDelta,
    ) -> Result<ImportedCredentials, DirectoryError> {
        let client_id = credentials.client_id;
        let end = self.env.now() + overlap;
        let digest = self.api_key_hash.digest(&credentials.api_key);
        let stored = self.store.credentials_of(client_id).await?;
        let Some(stored) = stored.into_iter().find(|stored| stored.api_key_digest == digest) else {
            self.store.rotate_client(client_id, &self.record(credentials).await?, end).await?;
            return Ok(ImportedCredentials::Replaced);
        };
        if stored.expires_at.is_some() {
            return Ok(ImportedCredentials::Outdated);
        }
        let is_password =
            self.passwords.verify(client_id, &credentials.password, Some(stored.password_hash.clone())).await;
        if is_password.map_err(failed)? {
            return Ok(ImportedCredentials::Unchanged);
        }
        let env = self.env.as_ref();
        let password_hash = self.passwords.hash(client_id, &credentials.password, env).await.map_err(failed)?;
        // The old password stays good beside the same API key, which a password of any of its credentials goes with. The
        // API key of this one is made here and leaves the process with it.
        let unused = Credentials::generate(client_id, env);
        let previous = CredentialRecord {
            id: env.new_id(),
            password_hash: stored.password_hash.clone(),
            api_key_digest: self.api_key_hash.digest(&unused.api_key),
            expires_at: Some(end),
            ..stored.clone()
        };
        let is_replaced = self.store.replace_password(&stored, &password_hash, &previous).await?;
        // Otherwise another process replaced it first.
        Ok(if is_replaced { ImportedCredentials::NewPassword } else { ImportedCredentials::Unchanged })
    }

    /// Creates new credentials for a client; the previous ones remain valid for `overlap`. `None`: there is no such client.
    /// A disabled client stays disabled.
    ///
    /// # Errors
    /// The store's.
    pub async fn rotate(&self, client_id: Uuid, overlap: TimeDelta) -> Result<Option<Credentials>, DirectoryError> {
        let (credentials, record) = self.new_credentials(client_id).await?;
        let rotated = self.store.rotate_client(client_id, &record, self.env.now() + overlap).await?;
        Ok(rotated.then_some(credentials))
    }

    /// Disables a client permanently; every replica rejects it within five seconds. False: there is no such client.
    ///
    /// # Errors
    /// The store's.
    pub async fn disable(&self, client_id: Uuid) -> Result<bool, DirectoryError> {
        Ok(self.store.disable_client(client_id, self.env.now()).await?)
    }

    /// One client.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, client_id: Uuid) -> Result<Option<ClientRecord>, DirectoryError> {
        Ok(self.store.find_client(client_id).await?)
    }

    /// All clients.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<ClientRecord>, DirectoryError> {
        Ok(self.store.list_clients().await?)
    }

    fn new_client(&self, name: &str, role: Role) -> ClientRecord {
        ClientRecord {
            id: self.env.new_id(),
            name: name.to_owned(),
            role: role.as_str().to_owned(),
            created_at: self.env.now(),
            disabled_at: None,
        }
    }

    async fn new_credentials(&self, client_id: Uuid) -> Result<(Credentials, CredentialRecord), DirectoryError> {
        let credentials = Credentials::generate(client_id, self.env.as_ref());
        let record = self.record(&credentials).await?;
        Ok((credentials, record))
    }

    /// The stored form of the credentials.
    async fn record(&self, credentials: &Credentials) -> Result<CredentialRecord, DirectoryError> {
        let env = self.env.as_ref();
        Ok(CredentialRecord {
            id: env.new_id(),
            client_id: credentials.client_id,
            password_hash: self
                .passwords
                .hash(credentials.client_id, &credentials.password, env)
                .await
                .map_err(failed)?,
            api_key_digest: self.api_key_hash.digest(&credentials.api_key),
            created_at: env.now(),
            expires_at: None,
        })
    }
}

fn failed(error: super::AuthError) -> DirectoryError {
    DirectoryError { is_unavailable: false, source: error.into() }
}
