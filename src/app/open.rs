//! Opens what the service and its commands need: the key ring, the database, the clock.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{CONNECT_LIMIT, WAIT_INTERVAL};
use crate::config::{Config, ConfigError, DatabaseProfile, Secret};
use crate::env::{SharedEnv, SystemEnv};
use crate::health::Readiness;
use crate::jobs::JobDeps;
use crate::service::events::Feed;
use crate::service::master_keys::registered;
use crate::store::{Listen, Profile, Store, StoreError, StoreOptions};
use crate::telemetry::Metrics;
use crate::vault::documents::DocumentStore;
use crate::vault::{KeyRing, KeyRingError, Vault};

/// What the service and its commands need.
#[derive(Clone)]
pub struct Resources {
    /// The database.
    pub store: Store,
    /// The key ring, and what it seals.
    pub vault: Vault,
    /// Clock, identifiers, randomness.
    pub env: SharedEnv,
    /// The metrics; of a command they record nothing.
    pub metrics: Metrics,
}

impl Resources {
    /// What the background jobs of a process need.
    pub(super) fn job_deps(&self, documents: DocumentStore, readiness: &Readiness, feed: Arc<Feed>) -> JobDeps {
        JobDeps {
            store: self.store.background(),
            vault: self.vault.clone(),
            documents,
            env: Arc::clone(&self.env),
            metrics: self.metrics.clone(),
            readiness: readiness.clone(),
            feed,
        }
    }
}

/// Why the service, or a command, cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address to listen on is taken or not there.
    #[error("cannot listen on {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The data folder cannot be made.
    #[error("cannot make the data folder {folder}")]
    DataFolder {
        /// The folder.
        folder: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A command needs the database of a server, and there is none.
    #[error(
        "there is no database {file}; run the command in the server's folder, or with its KIRA_DATA_DIR or \
         KIRA_DATABASE_URL"
    )]
    NoDatabase {
        /// The file that is missing.
        file: PathBuf,
    },
    /// The configuration names files that cannot be used.
    #[error(transparent)]
    Config(ConfigError),
    /// The master keys cannot be used.
    #[error("the master keys cannot be used")]
    MasterKeys(#[from] KeyRingError),
    /// The key file is missing, but the database holds data sealed under its keys.
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
    /// A master key has the id of a key that sealed data, but other bytes.
    #[error("master key {id:?} is not the key that sealed the data: its bytes differ")]
    MasterKeyDiffers {
        /// The key's id.
        id: String,
    },
    /// The credentials of the demo client, which are shown only once, could not be printed.
    #[error(
        "the credentials of the demo client {client_id} could not be printed; `kira-users client rotate {client_id}` \
         makes new ones"
    )]
    DemoClientNotShown {
        /// The client.
        client_id: Uuid,
        /// The error of the standard output.
        source: std::io::Error,
    },
    /// The database does not answer; the reason.
    #[error("{0}")]
    Database(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else that the start needs.
    #[error("cannot start")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AppError {
    pub(super) fn start(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Start(source.into())
    }
}

/// Opens the database and the key ring in any state of the schema. The embedded mode creates its folder and key file.
///
/// # Errors
/// Which of them cannot be opened.
pub async fn open(config: &Config) -> Result<Resources, AppError> {
    open_with(config, Arc::new(SystemEnv::default()), Metrics::default()).await
}

/// How much longer than a request its statement may take.
const STATEMENT_GRACE: Duration = Duration::from_secs(1);

/// Opens what a server or `migrate` has created; creates nothing.
///
/// # Errors
/// `NoDatabase` or `KeyFileMissing` if they are missing; else as [`open`].
pub async fn open_existing(config: &Config) -> Result<Resources, AppError> {
    if let Some(file) = config.database.file().filter(|file| !file.exists()) {
        let file = std::path::absolute(&file).unwrap_or(file);
        return Err(AppError::NoDatabase { file });
    }
    open(config).await
}

async fn open_with(config: &Config, env: SharedEnv, metrics: Metrics) -> Result<Resources, AppError> {
    let folder = &config.data_dir;
    if config.is_embedded() || config.vault.master_keys.is_none() {
        // Only its owner may read it: it holds the key file.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| AppError::DataFolder { folder: folder.clone(), source })?;
    }
    let options = StoreOptions {
        max_connections: config.database.max_connections,
        // A statement ends a little after its request.
        statement_timeout: config.server.request_timeout + STATEMENT_GRACE,
        listen: match config.database.listen_url.as_ref().map(Secret::expose) {
            None => Listen::Database,
            Some("off") => Listen::Off,
            Some(url) => Listen::Url(url.to_owned()),
        },
        profile: match config.database.profile {
            DatabaseProfile::Standard => Profile::Standard,
            DatabaseProfile::Distributed => Profile::Distributed,
        },
        replica: config.database.read_url.as_ref().map(|url| url.expose().to_owned()),
        metrics: metrics.clone(),
        ..StoreOptions::default()
    };
    let store = Store::connect(config.database.url.expose(), options).await?;
    let ring = key_ring(config, &store, &env).await?;
    Ok(Resources { store, vault: Vault::new(ring, Arc::clone(&env)), env, metrics })
}

/// Makes the partitions of the first rows; without them those would go to the default partition. The job makes what
/// cannot be made now.
async fn make_partitions(Resources { store, env, .. }: &Resources) {
    if let Err(error) = store.make_partitions(env.now()).await {
        tracing::warn!(%error, "partitions are not made before the start; the job makes them");
    }
}

async fn key_ring(config: &Config, store: &Store, env: &SharedEnv) -> Result<KeyRing, AppError> {
    if let Some(keys) = &config.vault.master_keys {
        return Ok(KeyRing::parse(keys.expose())?);
    }
    let file = config.master_keys_file();
    if file.exists() {
        return Ok(KeyRing::load_file(&file)?);
    }
    let ids: Vec<String> = match registered(store).await {
        Ok(keys) => keys.into_iter().map(|key| key.id).collect(),
        // A new database, without tables. An older schema has tables, and data that needs its keys.
        Err(_) if !store.pending_migrations().await?.is_empty() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if !ids.is_empty() {
        return Err(AppError::KeyFileMissing { file, ids: ids.join(", ") });
    }
    let ring = match KeyRing::create_file(&file, env.as_ref()) {
        // Another process made the file at the same time. The file appears only when it is complete.
        Err(KeyRingError::File { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            return Ok(KeyRing::load_file(&file)?);
        }
        made => made?,
    };
    tracing::warn!(file = %file.display(), "created a key file: without it personal data cannot be read; back it up");
    Ok(ring)
}

/// Waits until the database answers, for `limit` at most. Logs the reason of the wait, and each change of it.
///
/// # Errors
/// `Database` with the reason after `limit`; `Store` when the database answers but cannot be used.
pub async fn await_database(store: &Store, limit: Duration) -> Result<(), AppError> {
    let end = Instant::now() + limit;
    let mut logged = String::new();
    loop {
        match store.ping().await {
            Ok(()) => return Ok(()),
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let reason = store.unavailability(CONNECT_LIMIT).await;
        if Instant::now() >= end {
            return Err(AppError::Database(reason));
        }
        if reason != logged {
            tracing::warn!(reason, "waiting for the database");
            logged = reason;
        }
        tokio::time::sleep(WAIT_INTERVAL).await;
    }
}

/// Opens the resources and waits until the schema is current. The embedded database is migrated here; a server's is
/// migrated by the operator, and may be unreachable for a while.
pub(super) async fn ready(
    config: &Config,
    env: SharedEnv,
    metrics: Metrics,
    readiness: &Readiness,
) -> Result<Resources, AppError> {
    let resources = open_with(config, env, metrics).await?;
    if config.is_embedded() {
        resources.store.migrate().await?;
        return Ok(resources);
    }
    loop {
        let reason = match resources.store.pending_migrations().await {
            Ok(pending) if pending.is_empty() => {
                make_partitions(&resources).await;
                return Ok(resources);
            }
            Ok(pending) => format!("the schema lacks {} migration(s): run `kira-users migrate`", pending.len()),
            Err(StoreError::Unavailable(_)) => resources.store.unavailability(CONNECT_LIMIT).await,
            Err(error) => return Err(error.into()),
        };
        if readiness.set_not_ready(&reason) {
            tracing::warn!(reason, "not ready");
        }
        tokio::time::sleep(WAIT_INTERVAL).await;
    }
}
