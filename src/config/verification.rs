//! `[verification]`: who verifies users, where, and for how long.

use std::time::Duration;

use super::reader::Reader;
use super::value::Value;

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
    /// How long an attempt may take before a person looks at it.
    pub deadline: Duration,
    /// Whether the server process works too, or leaves that to others.
    pub worker: bool,
}

impl VerificationConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        Self {
            provider: reader.required("verification.provider"),
            sandbox_delay: reader.bounded("verification.sandbox_delay", Duration::ZERO, YEAR),
            deadline: reader.bounded("verification.deadline", Duration::from_secs(1), YEAR),
            worker: reader.required("verification.worker"),
        }
    }
}
