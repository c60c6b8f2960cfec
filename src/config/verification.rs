//! `[verification]`: who verifies users, where, and for how long.

use std::time::Duration;

use url::Url;

use super::auth::is_loopback;
use super::reader::Reader;
use super::secret::Secret;
use super::storage::DatabaseConfig;
use super::value::{OrOff, Value};

/// Who verifies users (decisions, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Plays outcomes by name.
    Sandbox,
    /// Checks the consistency of the data, offline.
    Rules,
    /// An outside vendor.
    Http,
}

impl ProviderKind {
    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Rules => "rules",
            Self::Http => "http",
        }
    }
}

impl Value for ProviderKind {
    const ACCEPTED: &'static str = "sandbox, rules or http";

    fn parse(text: &str) -> Result<Self, String> {
        let known = [Self::Sandbox, Self::Rules, Self::Http];
        known.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| "is no provider".to_owned())
    }
}

/// Verification in the background.
#[derive(Debug, Clone)]
pub struct VerificationConfig {
    /// Who verifies.
    pub provider: ProviderKind,
    /// After which time the sandbox decides.
    pub sandbox_delay: Duration,
    /// Whether `rules` verifies users of whom nothing speaks against, without a person.
    pub rules_auto_approve: bool,
    /// The outside vendor; there is one exactly where the provider is `http`.
    pub vendor: Option<VendorConfig>,
    /// How long an attempt may take before a person looks at it.
    pub deadline: Duration,
    /// Whether the server process works too, or leaves that to others.
    pub worker: bool,
}

impl VerificationConfig {
    pub(super) fn read(reader: &mut Reader, database: &DatabaseConfig) -> Self {
        // A production installation must not verify every user by default.
        if database.is_postgres() && !reader.has("verification.provider") {
            reader.refuse("verification.provider", "must be given with PostgreSQL: sandbox, rules or http");
        }
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        let provider = reader.required("verification.provider");
        Self {
            provider,
            rules_auto_approve: reader.required("verification.rules_auto_approve"),
            vendor: VendorConfig::read(reader, provider),
            sandbox_delay: reader.bounded("verification.sandbox_delay", Duration::ZERO, YEAR),
            deadline: reader.bounded("verification.deadline", Duration::from_secs(1), YEAR),
            worker: reader.required("verification.worker"),
        }
    }
}

/// An outside vendor.
#[derive(Debug, Clone)]
pub struct VendorConfig {
    /// Where it takes requests.
    pub url: Url,
    /// Signs requests and callbacks.
    pub secret: Secret,
    /// How long one answer may take.
    pub timeout: Duration,
}

impl VendorConfig {
    fn read(reader: &mut Reader, provider: ProviderKind) -> Option<Self> {
        const URL: &str = "verification.vendor_url";
        const SECRET: &str = "verification.vendor_secret";
        let url = reader.required::<OrOff<Url>>(URL).0;
        let secret: Option<Secret> = reader.optional(SECRET);
        let timeout = reader.bounded("verification.vendor_timeout", Duration::from_secs(1), Duration::from_secs(120));
        let is_used = provider == ProviderKind::Http;
        for (path, given) in [(URL, url.is_some()), (SECRET, secret.is_some())] {
            let kind = reader.key("verification.provider");
            match (is_used, given) {
                (true, false) => reader.refuse(path, format!("must be given where {kind} is http")),
                (false, true) => reader.refuse(path, format!("has no meaning unless {kind} is http")),
                _ => {}
            }
        }
        if let Some(url) = &url
            && !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(url))
        {
            // The requests carry everything that is known of a user.
            reader.refuse(URL, "must be https; http is accepted to this machine alone");
        }
        Some(Self { url: url.filter(|_| is_used)?, secret: secret?, timeout })
    }
}
