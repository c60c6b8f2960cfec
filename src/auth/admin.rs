//! Making, rotating and disabling clients: for the command line and the embedded demo client.

use chrono::TimeDelta;
use uuid::Uuid;

use super::credentials::{ApiKeyHash, Credentials};
use super::directory::{Directory, DirectoryError};
use super::password::Passwords;
use super::role::Role;
use crate::ambient::SharedAmbient;
use crate::store::{ClientRecord, CredentialRecord, Store};

/// How a client stands after [`ClientAdmin::import`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// There was none of this id.
    Made,
    /// It had these credentials, with or without others.
    Unchanged,
    /// It had others, which expire after the overlap.
    Replaced,
    /// It is disabled, and stays so.
    Disabled,
    /// It had this API key before; one that was replaced does not come back, and nothing changed.
    Outdated,
}

/// Manages the clients of the installation.
pub struct ClientAdmin {
    store: Store,
    ambient: SharedAmbient,
    api_key_hash: ApiKeyHash,
    passwords: Passwords,
}

impl ClientAdmin {
    /// Over the clients in `store`; `directory` holds the secret behind the digests of API keys.
    ///
    /// # Errors
    /// When that secret cannot be had.
    pub async fn open(store: Store, directory: &dyn Directory, ambient: SharedAmbient) -> Result<Self, DirectoryError> {
        let api_key_hash = ApiKeyHash::open(directory, ambient.as_ref()).await?;
        Ok(Self { store, ambient, api_key_hash, passwords: Passwords::new() })
    }

    /// Makes a client; its credentials are known from here alone.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn create(&self, name: &str, role: Role) -> Result<Credentials, DirectoryError> {
        let client = ClientRecord {
            id: self.ambient.new_id(),
            name: name.to_owned(),
            role: role.as_str().to_owned(),
            created_at: self.ambient.now(),
            disabled_at: None,
        };
        let (credentials, record) = self.new_credentials(client.id).await?;
        self.store.insert_client(&client, &record).await?;
        Ok(credentials)
    }

    /// Brings a client to credentials that were made elsewhere. Those of one that has others replace them as a rotation
    /// does; a second time nothing changes.
    ///
    /// # Errors
    /// When the store does not take it: an API key of another client, among others.
    pub async fn import(
        &self,
        name: &str,
        role: Role,
        credentials: &Credentials,
        overlap: TimeDelta,
    ) -> Result<Imported, DirectoryError> {
        let now = self.ambient.now();
        let Some(known) = self.store.find_client(credentials.client_id).await? else {
            let client = ClientRecord {
                id: credentials.client_id,
                name: name.to_owned(),
                role: role.as_str().to_owned(),
                created_at: now,
                disabled_at: None,
            };
            self.store.insert_client(&client, &self.record(credentials).await?).await?;
            return Ok(Imported::Made);
        };
        if known.disabled_at.is_some() {
            return Ok(Imported::Disabled);
        }
        let digest = self.api_key_hash.digest(&credentials.api_key);
        let stored = self.store.credentials_of(known.id).await?;
        if let Some(stored) = stored.into_iter().find(|stored| stored.api_key_digest == digest) {
            let is_password = self.passwords.verify(&credentials.password, Some(stored.password_hash)).await;
            let is_current = stored.expires_at.is_none() && is_password.map_err(failed)?;
            return Ok(if is_current { Imported::Unchanged } else { Imported::Outdated });
        }
        self.store.rotate_client(known.id, &self.record(credentials).await?, now + overlap).await?;
        Ok(Imported::Replaced)
    }

    /// Gives a client new credentials; those before stay good for `overlap`. `None`: there is no such client.
    /// One that is disabled stays so.
    ///
    /// # Errors
    /// When the store does not take them.
    pub async fn rotate(&self, client_id: Uuid, overlap: TimeDelta) -> Result<Option<Credentials>, DirectoryError> {
        let (credentials, record) = self.new_credentials(client_id).await?;
        let rotated = self.store.rotate_client(client_id, &record, self.ambient.now() + overlap).await?;
        Ok(rotated.then_some(credentials))
    }

    /// Disables a client for good; every replica refuses it within five seconds. False: there is no such client.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn disable(&self, client_id: Uuid) -> Result<bool, DirectoryError> {
        Ok(self.store.disable_client(client_id, self.ambient.now()).await?)
    }

    /// One client.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find(&self, client_id: Uuid) -> Result<Option<ClientRecord>, DirectoryError> {
        Ok(self.store.find_client(client_id).await?)
    }

    /// All clients.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self) -> Result<Vec<ClientRecord>, DirectoryError> {
        Ok(self.store.list_clients().await?)
    }

    async fn new_credentials(&self, client_id: Uuid) -> Result<(Credentials, CredentialRecord), DirectoryError> {
        let credentials = Credentials::generate(client_id, self.ambient.as_ref());
        let record = self.record(&credentials).await?;
        Ok((credentials, record))
    }

    /// What is kept of the credentials.
    async fn record(&self, credentials: &Credentials) -> Result<CredentialRecord, DirectoryError> {
        let ambient = self.ambient.as_ref();
        Ok(CredentialRecord {
            id: ambient.new_id(),
            client_id: credentials.client_id,
            password_hash: self.passwords.hash(&credentials.password, ambient).await.map_err(failed)?,
            api_key_digest: self.api_key_hash.digest(&credentials.api_key),
            created_at: ambient.now(),
            expires_at: None,
        })
    }
}

fn failed(error: super::AuthError) -> DirectoryError {
    DirectoryError { is_unavailable: false, source: error.into() }
}
