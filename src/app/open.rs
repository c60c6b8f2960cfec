//! Opening what the service and its commands stand on: the key ring, the database, the clock.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use super::WAIT_INTERVAL;
use crate::ambient::{SharedAmbient, System};
use crate::config::{Config, ConfigError};
use crate::server::admin::Readiness;
use crate::store::{Store, StoreError, StoreOptions};
use crate::telemetry::Metrics;
use crate::vault::{KeyRing, KeyRingError, Vault};

/// What the service and its commands stand on.
#[derive(Clone)]
pub struct Opened {
    /// The database.
    pub store: Store,
    /// The key ring, and what it seals.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub ambient: SharedAmbient,
    /// What is measured; nothing, for a command.
    pub metrics: Metrics,
}

/// Why the service, or a command, cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address to listen on is taken or not there.
    #[error("cannot listen on {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The data folder cannot be made.
    #[error("cannot make the data folder {folder}")]
    DataFolder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The configuration names files that cannot be used.
    #[error(transparent)]
    Config(ConfigError),
    /// The master keys cannot be used.
    #[error("the master keys cannot be used")]
    MasterKeys(#[from] KeyRingError),
    /// The key file is gone, but the data that its keys sealed is there.
    #[error(
        "the key file {file} is missing, but the database holds data sealed under master key(s) {ids}; restore the file, \
         or give the keys in KIRA_MASTER_KEYS"
    )]
    KeyFileMissing {
        /// The file.
        file: PathBuf,
        /// Ids of the missing keys.
        ids: String,
    },
    /// A master key that sealed data is not in the ring.
    #[error("master key {id:?} is missing: data is sealed under it; add it to KIRA_MASTER_KEYS")]
    MasterKeyMissing {
        /// The key's id.
        id: String,
    },
    /// A master key's id is known, but its bytes are not those that sealed data.
    #[error("master key {id:?} is not the key that sealed the data: its bytes differ")]
    MasterKeyDiffers {
        /// The key's id.
        id: String,
    },
    /// The credentials of the demo client, which can be shown once only, could not be.
    #[error(
        "the credentials of the demo client {client_id} could not be printed; `kira-users client rotate {client_id}` \
         makes new ones"
    )]
    DemoClientNotShown {
        /// The client.
        client_id: Uuid,
        /// What the system says of the standard output.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else that is needed to start.
    #[error("cannot start")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AppError {
    pub(super) fn start(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Start(source.into())
    }
}

/// Opens the database and the key ring, whatever the schema's state. The embedded form makes its folder and its key
/// file.
///
/// # Errors
/// Which of them cannot be opened.
pub async fn open(config: &Config) -> Result<Opened, AppError> {
    open_with(config, Arc::new(System::default()), Metrics::default()).await
}

async fn open_with(config: &Config, ambient: SharedAmbient, metrics: Metrics) -> Result<Opened, AppError> {
    let folder = &config.data_dir;
    if config.is_embedded() || config.vault.master_keys.is_none() {
        // For its owner only: the key file is in it.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| AppError::DataFolder { folder: folder.clone(), source })?;
    }
    let options = StoreOptions {
        max_connections: config.database.max_connections,
        metrics: metrics.clone(),
        ..StoreOptions::default()
    };
    let store = Store::connect(config.database.url.expose(), options).await?;
    let ring = key_ring(config, &store, &ambient).await?;
    Ok(Opened { store, vault: Vault::new(ring, Arc::clone(&ambient)), ambient, metrics })
}

async fn key_ring(config: &Config, store: &Store, ambient: &SharedAmbient) -> Result<KeyRing, AppError> {
    if let Some(keys) = &config.vault.master_keys {
        return Ok(KeyRing::parse(keys.expose())?);
    }
    let file = config.master_keys_file();
    if file.exists() {
        return Ok(KeyRing::load_file(&file)?);
    }
    let ids = match super::keys::registered(store).await {
        Ok(ids) => ids,
        // A new database, which has no tables yet. One of an older schema has them, and its data needs its keys.
        Err(_) if !store.pending_migrations().await?.is_empty() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if !ids.is_empty() {
        return Err(AppError::KeyFileMissing { file, ids: ids.join(", ") });
    }
    let ring = KeyRing::create_file(&file, ambient.as_ref())?;
    tracing::warn!(file = %file.display(), "made a key file: without it the personal data cannot be read; back it up");
    Ok(ring)
}

/// Opens both and waits until the schema is current. The embedded database is brought there; a server's is the
/// operator's to migrate, and may be away for a while.
pub(super) async fn ready(
    config: &Config,
    ambient: SharedAmbient,
    metrics: Metrics,
    readiness: &Readiness,
) -> Result<Opened, AppError> {
    let opened = open_with(config, ambient, metrics).await?;
    if config.is_embedded() {
        opened.store.migrate().await?;
        return Ok(opened);
    }
    loop {
        let reason = match opened.store.pending_migrations().await {
            Ok(pending) if pending.is_empty() => return Ok(opened),
            Ok(pending) => format!("the schema lacks {} migration(s): run `kira-users migrate`", pending.len()),
            Err(StoreError::Unavailable(_)) => "the database does not answer".to_owned(),
            Err(error) => return Err(error.into()),
        };
        if readiness.wait(&reason) {
            tracing::warn!(reason, "not ready");
        }
        tokio::time::sleep(WAIT_INTERVAL).await;
    }
}
