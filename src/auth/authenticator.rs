//! Issues tokens and authenticates calls.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use serde::Serialize;
use uuid::Uuid;

use super::api_keys::ApiKeys;
use super::claims::{bearer, check_times, client_id, peek};
use super::credentials::ApiKeyHash;
use super::directory::{Directory, DirectoryError};
use super::outside::{LEEWAY, OutsideIssuer};
use super::own_keys::{Jwk, OwnKeys};
use super::password::Passwords;
use super::{AuthError, Caller};
use crate::config::AuthConfig;
use crate::env::SharedEnv;
use crate::store::{ApiKeyOwner, CredentialRecord};

/// Capacity of the cache of verified tokens, about a hundred bytes each.
const MAX_TOKENS: u64 = 100_000;

/// Capacity of the caches of rejected tokens and API keys, about a hundred bytes each.
const MAX_REFUSED: u64 = 10_000;

/// How long a rejected token or API key is rejected from the cache.
const REFUSED_MILLISECONDS: i64 = 1_000;

/// How often [`Authenticator::refresh`] is to be called: several times before a newly published key signs.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// Why an [`Authenticator`] cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store, or a key in it.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The HTTP client for the outside issuer's keys: usually, the machine has no certificate authorities.
    #[error("an HTTP client for the outside issuer's keys cannot be made")]
    Http(#[from] reqwest::Error),
}

/// Issues and verifies access tokens, and checks API keys.
pub struct Authenticator {
    directory: Arc<dyn Directory>,
    env: SharedEnv,
    token_issuer: String,
    token_lifetime: TimeDelta,
    api_key_hash: ApiKeyHash,
    api_keys: ApiKeys,
    passwords: Passwords,
    own_keys: OwnKeys,
    outside: Option<OutsideIssuer>,
    /// By SHA-256, so that memory has no usable token.
    tokens: Cache<[u8; 32], KnownToken>,
    /// Tokens that were rejected in this time window, by SHA-256: a repeated token costs no signature check.
    refused_tokens: Cache<([u8; 32], i64), AuthError>,
    /// API keys that were unknown in this time window, by digest: a repeated key costs no read.
    unknown_keys: Cache<([u8; 32], i64), ()>,
}

/// An access token for a client (decisions, section 1).
pub struct IssuedToken {
    /// The token; as secret as a password until it expires.
    pub access_token: String,
    /// Its lifetime in seconds.
    pub expires_in: u64,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A cache of recent rejections.
fn refusals<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>() -> Cache<K, V> {
    // The time to live only frees memory; the window in the key decides.
    let life = Duration::from_millis(2 * REFUSED_MILLISECONDS.unsigned_abs());
    Cache::builder().max_capacity(MAX_REFUSED).time_to_live(life).build()
}

/// The claims of a verified token, and what its validity depends on.
#[derive(Clone, Copy)]
struct KnownToken {
    client_id: Uuid,
    /// The end of the token or of its key, whichever comes first.
    until: DateTime<Utc>,
    verifier: Verifier,
    /// The generation of the verifier's keys; under another one its key may no longer be valid.
    generation: u64,
}

#[derive(Clone, Copy)]
enum Verifier {
    Own,
    Outside,
}

/// The claims of our own tokens (RFC 9068 without an audience: they are for us alone).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: Uuid,
    client_id: Uuid,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

impl Authenticator {
    /// Loads keys and secrets, and creates the first of each if there are none.
    ///
    /// # Errors
    /// When the directory cannot be reached, or a key in it cannot be opened. An outside issuer that is down is no error.
    pub async fn open(config: &AuthConfig, directory: Arc<dyn Directory>, env: SharedEnv) -> Result<Self, OpenError> {
        let outside = config.outside_issuer.clone().map(|outside| OutsideIssuer::new(outside, Arc::clone(&env)));
        Ok(Self {
            token_issuer: config.token_issuer.clone(),
            token_lifetime: TimeDelta::seconds(config.token_lifetime.as_secs().cast_signed()),
            api_key_hash: ApiKeyHash::open(directory.as_ref(), env.as_ref()).await?,
            api_keys: ApiKeys::new(Arc::clone(&directory), Arc::clone(&env)),
            passwords: Passwords::new(),
            own_keys: OwnKeys::open(Arc::clone(&directory), Arc::clone(&env)).await?,
            outside: outside.transpose()?,
            tokens: Cache::builder().max_capacity(MAX_TOKENS).build(),
            refused_tokens: refusals(),
            unknown_keys: refusals(),
            directory,
            env,
        })
    }

    /// Reads the signing keys again, and the outside issuer's when they are due. To be called every
    /// [`REFRESH_INTERVAL`]; failures are logged, and the known keys remain.
    pub async fn refresh(&self) {
        if let Err(error) = self.own_keys.reload().await {
            let cause = error.source.as_ref();
            tracing::warn!(cause, "the signing keys stay as they were");
        }
        if let Some(outside) = &self.outside {
            outside.refresh().await;
        }
    }

    /// The public keys of our own tokens.
    #[must_use]
    pub fn jwks(&self) -> Vec<Jwk> {
        self.own_keys.jwks()
    }

    /// `POST /auth`: a token for the client that knows its id, its password and its API key.
    ///
    /// # Errors
    /// [`AuthError::InvalidCredentials`]. A caller with a known API key gets it after the same work, whatever else is
    /// wrong; an unknown key costs no password hash, since anyone can make one up. [`AuthError::Unavailable`] when too
    /// many logins with keys of the same client wait for their password to be checked.
    pub async fn issue_token(
        &self,
        api_key: Option<&str>,
        client_id: &str,
        password: &str,
    ) -> Result<IssuedToken, AuthError> {
        let client_id = Uuid::try_parse(client_id).unwrap_or(Uuid::nil());
        let digest = self.api_key_hash.digest(api_key.unwrap_or_default());
        let refused = (digest, self.refusal_window());
        if self.unknown_keys.contains_key(&refused) {
            return Err(AuthError::InvalidCredentials);
        }
        let Some(owner) = self.directory.client_by_api_key(&digest).await? else {
            self.unknown_keys.insert(refused, ()).await;
            return Err(AuthError::InvalidCredentials);
        };
        let credentials = self.directory.credentials_of(client_id).await?;
        if !self.prove(&owner, client_id, digest, credentials, password).await? {
            return Err(AuthError::InvalidCredentials);
        }
        let now = self.env.now();
        let claims = Claims {
            iss: &self.token_issuer,
            sub: client_id,
            client_id,
            iat: now.timestamp(),
            exp: (now + self.token_lifetime).timestamp(),
            jti: self.env.new_id(),
        };
        let access_token = self.own_keys.sign(&claims)?;
        Ok(IssuedToken { access_token, expires_in: self.token_lifetime.num_seconds().unsigned_abs() })
    }

    /// Whether API key and password are valid for this client. After a rotation both pairs are valid during the overlap,
    /// and may be mixed, since callers rarely replace two secrets at once.
    async fn prove(
        &self,
        owner: &ApiKeyOwner,
        client_id: Uuid,
        digest: [u8; 32],
        mut credentials: Vec<CredentialRecord>,
        password: &str,
    ) -> Result<bool, AuthError> {
        let now = self.env.now();
        credentials.retain(|credential| credential.expires_at.is_none_or(|at| now < at));
        let is_owner = owner.client_id == client_id && owner.client_disabled_at.is_none();
        // The owner of the key is charged for the work, whatever client the request names.
        let payer = owner.client_id;
        if !is_owner || !credentials.iter().any(|credential| credential.api_key_digest == digest) {
            return self.passwords.verify(payer, password, None).await;
        }
        // The credential of the key is by far the likeliest.
        credentials.sort_by_key(|credential| credential.api_key_digest != digest);
        for credential in credentials {
            if self.passwords.verify(payer, password, Some(credential.password_hash)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The caller, from the `Authorization` and `x-api-key` headers.
    ///
    /// In the common case this hashes both, finds both in caches, and neither reads the database nor checks a
    /// signature.
    ///
    /// # Errors
    /// The token is checked first, then the API key, then whether they belong to the same client.
    pub async fn authenticate(&self, authorization: Option<&str>, api_key: Option<&str>) -> Result<Caller, AuthError> {
        let client_id = self.client_of_token(bearer(authorization)?).await?;
        let api_key = api_key.ok_or(AuthError::InvalidApiKey)?;
        self.api_keys.owner(client_id, &self.api_key_hash.digest(api_key)).await
    }

    async fn client_of_token(&self, token: &str) -> Result<Uuid, AuthError> {
        let mut digest = [0; 32];
        digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()).as_ref());
        if let Some(known) = self.tokens.get(&digest).await {
            if self.env.now() < known.until && self.generation(known.verifier) == known.generation {
                return Ok(known.client_id);
            }
            self.tokens.invalidate(&digest).await;
        }
        let refused = (digest, self.refusal_window());
        if let Some(error) = self.refused_tokens.get(&refused).await {
            return Err(error);
        }
        match self.verify(token).await {
            Ok(verified) => {
                self.tokens.insert(digest, verified).await;
                Ok(verified.client_id)
            }
            Err(error @ (AuthError::InvalidToken | AuthError::TokenExpired | AuthError::NoClientId)) => {
                self.refused_tokens.insert(refused, error).await;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn refusal_window(&self) -> i64 {
        self.env.now().timestamp_millis().div_euclid(REFUSED_MILLISECONDS)
    }

    fn generation(&self, verifier: Verifier) -> u64 {
        match (verifier, &self.outside) {
            (Verifier::Own, _) => self.own_keys.generation(),
            (Verifier::Outside, outside) => outside.as_ref().map_or(0, OutsideIssuer::generation),
        }
    }

    /// Verifies a token by the keys of the issuer that it names, of no other.
    async fn verify(&self, token: &str) -> Result<KnownToken, AuthError> {
        let (header, issuer) = peek(token)?;
        let outside = self.outside.as_ref().filter(|outside| outside.config.issuer == issuer);
        let (verifier, verified, leeway, claim) = match outside {
            _ if issuer == self.token_issuer => {
                (Verifier::Own, self.own_keys.verify(token, &header).await?, TimeDelta::zero(), "client_id")
            }
            Some(outside) => {
                let verified = outside.verify(token, &header).await?;
                (Verifier::Outside, verified, LEEWAY, outside.config.client_id_claim.as_str())
            }
            None => return Err(AuthError::InvalidToken),
        };
        let expires = check_times(&verified.claims, self.env.now(), leeway)?;
        Ok(KnownToken {
            client_id: client_id(&verified.claims, claim)?,
            until: verified.key_retires_at.map_or(expires, |retires| retires.min(expires)),
            verifier,
            generation: verified.generation,
        })
    }
}
