//! `data_dir`, `[database]`, `[documents]` and `[vault]`: where things are kept and what seals them.

use std::path::PathBuf;

use super::reader::Reader;
use super::secret::Secret;
use super::value::Value;
use crate::vault::KeyRing;

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `sqlite://…` or `postgres://…`; secret because it may hold a password.
    pub url: Secret,
    /// The most connections to it.
    pub max_connections: u32,
    /// Another URL to listen for notifications at, or `off`; secret because it may hold a password.
    pub listen_url: Option<Secret>,
    /// Which features of PostgreSQL are used.
    pub profile: DatabaseProfile,
    /// A read replica for lists; secret because it may hold a password.
    pub read_url: Option<Secret>,
}

/// Which features of PostgreSQL are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseProfile {
    /// All.
    Standard,
    /// Those that distributed databases share.
    Distributed,
}

impl Value for DatabaseProfile {
    const ACCEPTED: &'static str = "standard or distributed";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "standard" => Ok(Self::Standard),
            "distributed" => Ok(Self::Distributed),
            _ => Err("is no profile".to_owned()),
        }
    }
}

impl DatabaseConfig {
    pub(super) fn read(reader: &mut Reader, data_dir: &std::path::Path) -> Self {
        let url = reader.optional("database.url").unwrap_or_else(|| Secret::new(sqlite_url(data_dir)));
        let max_connections = reader.bounded("database.max_connections", 1, 10_000);
        let listen_url = reader.optional("database.listen_url");
        let profile = reader.required("database.profile");
        let read_url = reader.optional("database.read_url").filter(|url: &Secret| url.expose() != "off");
        let config = Self { url, max_connections, listen_url, profile, read_url };
        if config.is_sqlite() && config.read_url.is_some() {
            reader.refuse("database.read_url", "is for PostgreSQL; the database is SQLite");
        }
        if config.is_sqlite() && profile == DatabaseProfile::Distributed {
            reader.refuse("database.profile", "distributed is for PostgreSQL's protocol; the database is SQLite");
        }
        if !config.is_sqlite() && !config.is_postgres() {
            reader.refuse(
                "database.url",
                "is of no known kind; accepted: sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME",
            );
        }
        config
    }

    /// Whether the database is an SQLite file.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.url.expose().starts_with("sqlite:")
    }

    /// The file of an SQLite database; none where it is in memory, or the database is a server.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let url = self.url.expose();
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
        let path = path.split('?').next().filter(|path| !path.is_empty() && !path.contains(":memory:"))?;
        Some(PathBuf::from(percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()))
    }

    /// Whether the database is a PostgreSQL server.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| self.url.expose().starts_with(scheme))
    }
}

/// What seals personal data.
#[derive(Debug, Clone)]
pub struct VaultConfig {
    /// The text of the key ring; `None` means the key file in the data folder.
    pub master_keys: Option<Secret>,
}

impl VaultConfig {
    pub(super) fn read(reader: &mut Reader, database: &DatabaseConfig) -> Self {
        let given = reader.has("vault.master_keys");
        // Replicas share a server, so they must share the keys too; a key file of one of them would lock the others out.
        if database.is_postgres() && !given {
            reader.refuse("vault.master_keys", "must be given with PostgreSQL (or KIRA_MASTER_KEYS_FILE)");
        }
        let master_keys: Option<Secret> = reader.optional("vault.master_keys");
        if let Some(Err(error)) = master_keys.as_ref().map(|keys| KeyRing::parse(keys.expose())) {
            reader.refuse("vault.master_keys", error.to_string());
        }
        Self { master_keys }
    }
}

/// Where document files are kept.
#[derive(Debug, Clone)]
pub struct DocumentsConfig {
    /// A folder, or the URL of an object store.
    pub url: String,
}

impl DocumentsConfig {
    pub(super) fn read(reader: &mut Reader, data_dir: &std::path::Path, database: &DatabaseConfig) -> Self {
        // Replicas share a server, so they must share the documents too; the default is a folder of one of them.
        if database.is_postgres() && !reader.has("documents.url") {
            reader
                .refuse("documents.url", "must be given with PostgreSQL: a folder or a bucket that all replicas share");
        }
        let folder = || data_dir.join("documents").display().to_string();
        Self { url: reader.optional("documents.url").unwrap_or_else(folder) }
    }
}

/// The URL of the embedded database in `data_dir`.
fn sqlite_url(data_dir: &std::path::Path) -> String {
    // The driver reads the rest of the URL as percent-encoded, and a query behind a question mark.
    let path = data_dir.join("kira-users.db").display().to_string();
    format!("sqlite://{}", path.replace('%', "%25").replace('?', "%3F").replace('#', "%23"))
}

/// The file of the embedded key ring in `data_dir`.
pub(super) fn master_keys_file(data_dir: &std::path::Path) -> PathBuf {
    data_dir.join("master.keys")
}
