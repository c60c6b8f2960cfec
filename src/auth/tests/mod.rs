//! Authentication over a directory in memory, with a clock that the tests move.

mod calls;
mod outside;
mod rotation;
mod tokens;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::credentials::{ApiKeyHash, Credentials};
use super::directory::{ClientKeys, Directory, DirectoryError, Lookup, SigningKey};
use super::password::Passwords;
use super::role::Role;
use super::{AuthError, Authenticator, Caller};
use crate::config::AuthConfig;
use crate::env::{Env as _, MockClock, SharedEnv};
use crate::store::{ApiKeyOwner, CredentialRecord};

/// The rows of one installation, in memory; counts the reads and can be switched off.
#[derive(Default)]
struct Rows {
    down: AtomicBool,
    api_key_reads: AtomicUsize,
    signing_key_reads: AtomicUsize,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    disabled: Vec<Uuid>,
    credentials: Vec<CredentialRecord>,
    keys: Vec<SigningKey>,
    secrets: HashMap<String, Vec<u8>>,
}

impl Rows {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock()
    }

    fn answer<'a, T: Send + 'a>(&'a self, answer: impl FnOnce(&mut Tables) -> T + Send + 'a) -> Lookup<'a, T> {
        Box::pin(async move {
            // Others get their turn, as during a real read.
            tokio::task::yield_now().await;
            if self.down.load(Ordering::Relaxed) {
                return Err(DirectoryError { is_unavailable: true, source: "switched off".into() });
            }
            Ok(answer(&mut self.tables()))
        })
    }
}

impl Directory for Rows {
    fn client_by_api_key<'a>(&'a self, digest: &'a [u8; 32]) -> Lookup<'a, Option<ApiKeyOwner>> {
        self.api_key_reads.fetch_add(1, Ordering::Relaxed);
        self.answer(move |tables| {
            let found = tables.credentials.iter().find(|credential| credential.api_key_digest == *digest)?;
            Some(ApiKeyOwner {
                client_id: found.client_id,
                role: Role::Client.as_str().to_owned(),
                client_disabled_at: tables.disabled.contains(&found.client_id).then_some(found.created_at),
                credential_id: found.id,
                expires_at: found.expires_at,
            })
        })
    }

    fn client_keys(&self, client_id: Uuid) -> Lookup<'_, Option<ClientKeys>> {
        self.api_key_reads.fetch_add(1, Ordering::Relaxed);
        self.answer(move |tables| {
            let own = tables.credentials.iter().filter(|credential| credential.client_id == client_id);
            let keys: Vec<_> = own.map(|credential| (credential.api_key_digest, credential.expires_at)).collect();
            let is_disabled = tables.disabled.contains(&client_id);
            (!keys.is_empty()).then(|| ClientKeys { role: Role::Client.as_str().to_owned(), is_disabled, keys })
        })
    }

    fn credentials_of(&self, client_id: Uuid) -> Lookup<'_, Vec<CredentialRecord>> {
        self.answer(move |tables| {
            tables.credentials.iter().rev().filter(|credential| credential.client_id == client_id).cloned().collect()
        })
    }

    fn signing_keys(&self) -> Lookup<'_, Vec<SigningKey>> {
        self.signing_key_reads.fetch_add(1, Ordering::Relaxed);
        self.answer(|tables| tables.keys.clone())
    }

    fn insert_signing_key<'a>(&'a self, key: &'a SigningKey, others_retire_at: DateTime<Utc>) -> Lookup<'a, ()> {
        self.answer(move |tables| {
            for other in &mut tables.keys {
                other.retires_at.get_or_insert(others_retire_at);
            }
            tables.keys.push(key.clone());
        })
    }

    fn ensure_first_signing_key<'a>(&'a self, key: &'a SigningKey) -> Lookup<'a, ()> {
        self.answer(move |tables| {
            if tables.keys.is_empty() {
                tables.keys.push(key.clone());
            }
        })
    }

    fn ensure_secret<'a>(&'a self, name: &'a str, fresh: &'a [u8], _: DateTime<Utc>) -> Lookup<'a, Zeroizing<Vec<u8>>> {
        self.answer(move |tables| {
            Zeroizing::new(tables.secrets.entry(name.to_owned()).or_insert_with(|| fresh.to_vec()).clone())
        })
    }
}

/// One installation: its rows, its clock and one replica.
struct Setup {
    rows: Arc<Rows>,
    clock: Arc<MockClock>,
    config: AuthConfig,
    replica: Authenticator,
}

impl Setup {
    async fn new() -> Self {
        Self::with(AuthConfig {
            token_lifetime: Duration::from_secs(3_600),
            token_issuer: "kira-users".to_owned(),
            outside_issuer: None,
        })
        .await
    }

    async fn with(config: AuthConfig) -> Self {
        let start = DateTime::from_timestamp(1_790_000_000, 0).expect("in range");
        let (rows, clock) = (Arc::new(Rows::default()), Arc::new(MockClock::at(start)));
        let replica = open(&config, &rows, &clock).await;
        Self { rows, clock, config, replica }
    }

    /// Another replica over the same rows.
    async fn another_replica(&self) -> Authenticator {
        open(&self.config, &self.rows, &self.clock).await
    }

    async fn client(&self) -> Credentials {
        self.credentials_for(self.clock.new_id(), None).await
    }

    /// Adds credentials to a client; those before get the end `others_expire_at`.
    async fn credentials_for(&self, client_id: Uuid, others_expire_at: Option<DateTime<Utc>>) -> Credentials {
        let clock: &MockClock = &self.clock;
        let credentials = Credentials::generate(client_id, clock);
        let hash = ApiKeyHash::open(self.rows.as_ref(), clock).await.expect("the rows are up");
        let record = CredentialRecord {
            id: clock.new_id(),
            client_id,
            password_hash: Passwords::new().hash(client_id, &credentials.password, clock).await.expect("hashes"),
            api_key_digest: hash.digest(&credentials.api_key),
            created_at: clock.now(),
            expires_at: None,
        };
        let mut tables = self.rows.tables();
        for earlier in tables.credentials.iter_mut().filter(|earlier| earlier.client_id == client_id) {
            earlier.expires_at = others_expire_at;
        }
        tables.credentials.push(record);
        credentials
    }

    async fn issue(&self, credentials: &Credentials) -> Result<String, AuthError> {
        let (id, password) = (credentials.client_id.to_string(), &credentials.password);
        let issued = self.replica.issue_token(Some(&credentials.api_key), &id, password).await?;
        Ok(issued.access_token)
    }

    async fn token(&self, credentials: &Credentials) -> String {
        self.issue(credentials).await.expect("the credentials are good")
    }

    async fn call(&self, token: &str, credentials: &Credentials) -> Result<Caller, AuthError> {
        call(&self.replica, token, credentials).await
    }

    fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }
}

async fn open(config: &AuthConfig, rows: &Arc<Rows>, clock: &Arc<MockClock>) -> Authenticator {
    let (rows, clock): (Arc<dyn Directory>, SharedEnv) = (Arc::clone(rows) as _, Arc::clone(clock) as _);
    Authenticator::open(config, rows, clock).await.expect("the rows are up")
}

async fn call(replica: &Authenticator, token: &str, credentials: &Credentials) -> Result<Caller, AuthError> {
    replica.authenticate(Some(&format!("Bearer {token}")), Some(&credentials.api_key)).await
}
