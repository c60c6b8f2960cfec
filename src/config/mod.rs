//! The configuration: a TOML file, over it the environment; unknown keys and wrong values are refused, all at once.
//!
//! One section a file; the names, defaults and descriptions of all settings are in one table ([`SETTINGS`]).

mod auth;
mod cors;
mod events;
mod problem;
mod products;
mod reader;
mod retention;
mod review;
mod secret;
mod server;
mod sinks;
mod source;
mod storage;
mod table;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;
mod value;
mod verification;
mod webhook;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use self::auth::{AuthConfig, OutsideIssuerConfig};
pub use self::cors::CorsOrigins;
pub use self::events::EventsConfig;
pub use self::problem::{ConfigError, Problem};
pub use self::products::{PRODUCT_CODES, Product};
pub use self::retention::RetentionConfig;
pub use self::review::ReviewConfig;
pub use self::secret::Secret;
pub use self::server::{RateLimitStore, ServerConfig};
pub use self::sinks::{AmqpSink, NatsSink, RedisSink, SinkStartSetting, SinksConfig};
pub use self::storage::{DatabaseConfig, DatabaseProfile, DocumentsConfig, VaultConfig};
pub use self::table::{CONFIG_FILE_ENV, SETTINGS, Setting, help_table, reference_table};
pub use self::telemetry::{LogFormat, OtlpConfig, OtlpProtocol, TelemetryConfig};
pub use self::tls::{TlsConfig, TlsFile};
pub use self::value::parse_duration;
pub use self::verification::{ProviderKind, VendorConfig, VerificationConfig};
pub use self::webhook::{LOOPBACK, WebhookConfig};

use self::reader::Reader;
use self::source::Source;

/// A configuration that was checked as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder of everything embedded.
    pub data_dir: PathBuf,
    /// Whether the first start of the embedded form makes a client to try it with.
    pub demo_client: bool,
    /// Listeners and limits.
    pub server: ServerConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// Where document files are kept.
    pub documents: DocumentsConfig,
    /// What seals personal data.
    pub vault: VaultConfig,
    /// Access tokens.
    pub auth: AuthConfig,
    /// Whether sensitive numbers are masked to their last four, even to their owner (decisions, section 4).
    pub mask_numbers: bool,
    /// Whether an external id is that of one user of a client alone.
    pub unique_external_ids: bool,
    /// For how long users are kept.
    pub retention: RetentionConfig,
    /// How humans decide.
    pub review: ReviewConfig,
    /// Verification in the background.
    pub verification: VerificationConfig,
    /// The history of events.
    pub events: EventsConfig,
    /// The brokers that events go to.
    pub sinks: SinksConfig,
    /// Where webhooks go.
    pub webhook: WebhookConfig,
    /// Logs, traces and metrics.
    pub telemetry: TelemetryConfig,
    /// The product catalogue, in the order in which it is shown.
    pub products: Vec<Product>,
}

impl Config {
    /// Reads the configuration of this process: `file`, else the file that `KIRA_CONFIG` names, and the environment.
    ///
    /// # Errors
    /// Every problem of the file and the environment at once.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let named = std::env::var_os(CONFIG_FILE_ENV).filter(|name| !name.is_empty()).map(PathBuf::from);
        Self::from_parts(file.or(named.as_deref()), std::env::vars_os())
    }

    /// Reads the configuration from `file` and the given environment.
    ///
    /// # Errors
    /// Every problem of the two at once.
    pub fn from_parts(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(Source::read(file, environment));
        let data_dir: PathBuf = reader.required("data_dir");
        let database = DatabaseConfig::read(&mut reader, &data_dir);
        let demo_client = reader.required("demo_client");
        let server = ServerConfig::read(&mut reader, &database);
        let documents = DocumentsConfig::read(&mut reader, &data_dir, &database);
        let vault = VaultConfig::read(&mut reader, &database);
        let auth = AuthConfig::read(&mut reader);
        let mask_numbers = reader.required("responses.mask_numbers");
        let unique_external_ids = reader.required("users.external_id_unique");
        let retention = RetentionConfig::read(&mut reader);
        let review = ReviewConfig::read(&mut reader);
        let verification = VerificationConfig::read(&mut reader, &database);
        let events = EventsConfig::read(&mut reader);
        let sinks = SinksConfig::read(&mut reader);
        let webhook = WebhookConfig::read(&mut reader, &database);
        let telemetry = TelemetryConfig::read(&mut reader);
        let products = products::read(&mut reader);
        if reader.problems.is_empty() {
            Ok(Self {
                data_dir,
                demo_client,
                server,
                database,
                documents,
                vault,
                auth,
                mask_numbers,
                unique_external_ids,
                retention,
                review,
                verification,
                events,
                sinks,
                webhook,
                telemetry,
                products,
            })
        } else {
            Err(ConfigError { problems: reader.problems })
        }
    }

    /// Whether this is the embedded form, which needs nothing else on the machine: an SQLite file, which the program
    /// migrates by itself, and (unless master keys are given) a key file that it makes.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database.is_sqlite()
    }

    /// The key file of the embedded form; read or made when no master keys are given.
    #[must_use]
    pub fn master_keys_file(&self) -> PathBuf {
        storage::master_keys_file(&self.data_dir)
    }
}
