//! What authentication needs from the store and the vault, and nothing more.

use std::error::Error;
use std::fmt;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::AuthError;
use crate::store::{ApiKeyOwner, CredentialRecord};

/// Clients, their credentials and the keys that sign their tokens, wherever those are kept.
///
/// Secrets are in clear here: the implementation seals them.
pub trait Directory: Send + Sync + 'static {
    /// The client and credential that an API key belongs to, by the key's digest.
    fn client_by_api_key<'a>(&'a self, digest: &'a [u8; 32]) -> Lookup<'a, Option<ApiKeyOwner>>;

    /// A client with the digests of its API keys; none if there is no such client.
    fn client_keys(&self, client_id: Uuid) -> Lookup<'_, Option<ClientKeys>>;

    /// The credentials of a client, newest first, expired ones too; none if there is no such client.
    fn credentials_of(&self, client_id: Uuid) -> Lookup<'_, Vec<CredentialRecord>>;

    /// All keys for signing tokens.
    fn signing_keys(&self) -> Lookup<'_, Vec<SigningKey>>;

    /// Adds a signing key; those of the others that have no end yet retire at `others_retire_at`.
    fn insert_signing_key<'a>(&'a self, key: &'a SigningKey, others_retire_at: DateTime<Utc>) -> Lookup<'a, ()>;

    /// Adds `key` if there is no signing key at all.
    fn ensure_first_signing_key<'a>(&'a self, key: &'a SigningKey) -> Lookup<'a, ()>;

    /// The secret of that name; `fresh` becomes it if there is none yet.
    fn ensure_secret<'a>(
        &'a self,
        name: &'a str,
        fresh: &'a [u8],
        now: DateTime<Utc>,
    ) -> Lookup<'a, Zeroizing<Vec<u8>>>;
}

/// The future result of a [`Directory`] call.
pub type Lookup<'a, T> = BoxFuture<'a, Result<T, DirectoryError>>;

/// A client with its API keys.
#[derive(Clone, Debug)]
pub struct ClientKeys {
    /// The name of its role.
    pub role: String,
    /// Whether it is disabled.
    pub is_disabled: bool,
    /// The digest of each key, and when it ends.
    pub keys: Vec<([u8; 32], Option<DateTime<Utc>>)>,
}

/// A key pair (Ed25519) for signing tokens, and its times.
#[derive(Clone)]
pub struct SigningKey {
    /// The key's id, in the header of every token that it signs.
    pub kid: String,
    /// The public half, 32 bytes.
    pub public_key: Vec<u8>,
    /// The private half, PKCS#8.
    pub private_key: Zeroizing<Vec<u8>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until then it is only published.
    pub signs_from: DateTime<Utc>,
    /// After that it verifies no token.
    pub retires_at: Option<DateTime<Utc>>,
}

impl SigningKey {
    /// Whether it may sign tokens at `now`.
    pub(super) fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.signs_from <= now && !self.is_retired(now)
    }

    /// Whether it neither signs nor verifies any more at `now`.
    pub(super) fn is_retired(&self, now: DateTime<Utc>) -> bool {
        self.retires_at.is_some_and(|at| at <= now)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Why a [`Directory`] call failed.
#[derive(Debug)]
pub struct DirectoryError {
    /// Whether a retry may succeed.
    pub is_unavailable: bool,
    /// The cause.
    pub source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_unavailable {
            "the store of clients and keys cannot be reached"
        } else {
            "the store of clients and keys failed"
        })
    }
}

impl Error for DirectoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

impl From<DirectoryError> for AuthError {
    /// Logs the cause, which the caller must not see.
    fn from(error: DirectoryError) -> Self {
        let cause = error.source.as_ref();
        if error.is_unavailable {
            tracing::warn!(cause, "authentication cannot reach the store");
            Self::Unavailable
        } else {
            tracing::error!(cause, "authentication failed in the store");
            Self::Internal
        }
    }
}
