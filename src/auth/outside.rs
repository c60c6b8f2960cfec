//! Tokens of an outside issuer (an identity provider of the operator), verified by its published keys.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Header;
use parking_lot::RwLock;
use serde_json::{Map, Value};

use super::AuthError;
use super::claims::verify_signature;
use super::jwks::{OutsideKey, find};
use super::own_keys::Verified;
use super::reload::ReloadGate;
use crate::config::OutsideIssuerConfig;
use crate::env::SharedEnv;

/// Leeway for the issuer's clock. Our own tokens have none: operators keep the clocks of replicas in step, and
/// `expires_in` must be exact.
pub(super) const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// Maximum age of the keys, so that a withdrawn key stops verifying.
const REFRESH_AFTER: TimeDelta = TimeDelta::hours(1);

/// Minimum interval between fetches that tokens with unknown keys cause.
const FETCH_SPACING: TimeDelta = TimeDelta::seconds(10);

const TIMEOUT: Duration = Duration::from_secs(5);

/// More than ten times the size of a JWKS with dozens of keys and certificates.
const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// Verifies the tokens of one issuer.
pub(super) struct OutsideIssuer {
    pub(super) config: OutsideIssuerConfig,
    http: reqwest::Client,
    env: SharedEnv,
    set: RwLock<Arc<KeySet>>,
    gate: ReloadGate,
}

#[derive(Default)]
struct KeySet {
    /// Incremented with each change of the document; tokens verified under another generation are verified again.
    generation: u64,
    keys: Vec<OutsideKey>,
    document: Vec<u8>,
    fetched_at: Option<DateTime<Utc>>,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the keys cannot be fetched")]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge,
    #[error("the answer is not a JWKS document")]
    NotAJwks(#[from] serde_json::Error),
    #[error("the document has no key that can verify tokens")]
    NoUsableKey,
}

impl OutsideIssuer {
    /// Has no keys until [`OutsideIssuer::refresh`] or the first token: an issuer that is down must not keep the service
    /// from starting.
    pub(super) fn new(config: OutsideIssuerConfig, env: SharedEnv) -> Result<Self, reqwest::Error> {
        // The HTTP client has no default crypto provider. An error means that the process has installed one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { config, http, env, set: RwLock::default(), gate: ReloadGate::new(FETCH_SPACING) })
    }

    pub(super) fn generation(&self) -> u64 {
        self.current().generation
    }

    /// Fetches the keys if they are due.
    pub(super) async fn refresh(&self) {
        if !self.is_fresh() {
            self.gate.run(self.env.now(), || self.is_fresh(), self.fetch_or_warn()).await;
        }
    }

    fn is_fresh(&self) -> bool {
        let age = self.current().fetched_at.map(|at| self.env.now() - at);
        age.is_some_and(|age| age < REFRESH_AFTER)
    }

    /// Verifies a token's signature, issuer and audience; for an unknown key the JWKS is fetched once more.
    pub(super) async fn verify(&self, token: &str, header: &Header) -> Result<Verified, AuthError> {
        let kid = header.kid.as_deref();
        let mut set = self.current();
        if find(&set.keys, kid).is_none() {
            let known = || find(&self.current().keys, kid).is_some();
            let fetched = self.gate.run(self.env.now(), known, self.fetch_or_warn()).await;
            set = self.current();
            // While the issuer is unreachable, an unknown key may be valid.
            if !fetched && find(&set.keys, kid).is_none() {
                return Err(AuthError::Unavailable);
            }
        }
        let key = find(&set.keys, kid).filter(|key| key.allows(header.alg)).ok_or(AuthError::InvalidToken)?;
        let claims = verify_signature(token, &key.verifying, header.alg)?;
        if claims.get("iss").and_then(Value::as_str) != Some(&self.config.issuer) || !self.is_audience(&claims) {
            return Err(AuthError::InvalidToken);
        }
        Ok(Verified { claims, key_retires_at: None, generation: set.generation })
    }

    /// `aud` is one text or a list of them (RFC 7519, section 4.1.3).
    fn is_audience(&self, claims: &Map<String, Value>) -> bool {
        match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.config.audience,
            Some(Value::Array(list)) => list.iter().any(|audience| audience.as_str() == Some(&self.config.audience)),
            _ => false,
        }
    }

    /// Fetches the keys; on failure the known keys remain.
    async fn fetch_or_warn(&self) -> bool {
        match self.fetch().await {
            Ok(()) => true,
            Err(error) => {
                let cause: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(cause, issuer = self.config.issuer, "the keys of the outside issuer stay as they were");
                false
            }
        }
    }

    async fn fetch(&self) -> Result<(), FetchError> {
        let mut response = self.http.get(self.config.jwks_url.clone()).send().await?.error_for_status()?;
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchError::TooLarge);
            }
            document.extend_from_slice(&chunk);
        }
        let keys = OutsideKey::read_all(&document)?;
        if keys.is_empty() {
            return Err(FetchError::NoUsableKey);
        }
        let mut set = self.set.write();
        let generation = set.generation + u64::from(set.document != document);
        *set = Arc::new(KeySet { generation, keys, document, fetched_at: Some(self.env.now()) });
        Ok(())
    }

    fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.set.read())
    }
}
