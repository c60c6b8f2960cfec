//! The two questions: may this client have a token, and who is calling.

use std::fmt;
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
use crate::ambient::SharedAmbient;
use crate::config::AuthConfig;
use crate::store::CredentialRecord;

/// Verified tokens that are remembered, of about a hundred bytes each.
const MAX_TOKENS: u64 = 100_000;

/// How often [`Authenticator::refresh`] is to be called: several times before a newly published key signs.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// Why an [`Authenticator`] cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store, or a key in it.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The means to fetch the outside issuer's keys: commonly, the machine has no certificate authorities.
    #[error("an HTTP client for the outside issuer's keys cannot be made")]
    Http(#[from] reqwest::Error),
}

/// Issues and verifies access tokens, and knows whose API keys are whose.
pub struct Authenticator {
    directory: Arc<dyn Directory>,
    ambient: SharedAmbient,
    token_issuer: String,
    token_lifetime: TimeDelta,
    api_key_hash: ApiKeyHash,
    api_keys: ApiKeys,
    passwords: Passwords,
    own_keys: OwnKeys,
    outside: Option<OutsideIssuer>,
    /// By SHA-256, so that no usable token lies in memory.
    tokens: Cache<[u8; 32], KnownToken>,
}

/// An access token for a client (decisions, section 1).
pub struct IssuedToken {
    /// The token; as secret as a password while it lives.
    pub access_token: String,
    /// Its life in seconds.
    pub expires_in: u64,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// What a verified token said, and what it rests on.
#[derive(Clone, Copy)]
struct KnownToken {
    client_id: Uuid,
    /// The end of the token or of its key, whichever comes first.
    until: DateTime<Utc>,
    verifier: Verifier,
    /// The generation of the verifier's keys; another one means that its key may be gone.
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
    /// Loads keys and secrets, and makes the first of each where there are none.
    ///
    /// # Errors
    /// When the directory cannot be reached, or a key in it cannot be opened. An outside issuer that is down is no error.
    pub async fn open(
        config: &AuthConfig,
        directory: Arc<dyn Directory>,
        ambient: SharedAmbient,
    ) -> Result<Self, OpenError> {
        let outside = config.outside_issuer.clone().map(|outside| OutsideIssuer::new(outside, Arc::clone(&ambient)));
        Ok(Self {
            token_issuer: config.token_issuer.clone(),
            token_lifetime: TimeDelta::seconds(config.token_lifetime.as_secs().cast_signed()),
            api_key_hash: ApiKeyHash::open(directory.as_ref(), ambient.as_ref()).await?,
            api_keys: ApiKeys::new(Arc::clone(&directory), Arc::clone(&ambient)),
            passwords: Passwords::new(),
            own_keys: OwnKeys::open(Arc::clone(&directory), Arc::clone(&ambient)).await?,
            outside: outside.transpose()?,
            tokens: Cache::builder().max_capacity(MAX_TOKENS).build(),
            directory,
            ambient,
        })
    }

    /// Reads the signing keys again, and the outside issuer's when they are due. To be called every
    /// [`REFRESH_INTERVAL`]; failures are logged, and the known keys stay.
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
    /// [`AuthError::InvalidCredentials`]. To whoever has somebody's API key it comes after the same work, whatever else
    /// is wrong; a key that is nobody's costs no password hash, since anybody can make one up.
    /// [`AuthError::Unavailable`] when too many wait for their password to be checked.
    pub async fn issue_token(
        &self,
        api_key: Option<&str>,
        client_id: &str,
        password: &str,
    ) -> Result<IssuedToken, AuthError> {
        let client_id = Uuid::try_parse(client_id).unwrap_or(Uuid::nil());
        let digest = self.api_key_hash.digest(api_key.unwrap_or_default());
        let Some(owner) = self.directory.client_by_api_key(&digest).await? else {
            return Err(AuthError::InvalidCredentials);
        };
        let is_owner = owner.client_id == client_id && owner.client_disabled_at.is_none();
        let credentials = self.directory.credentials_of(client_id).await?;
        if !self.prove(is_owner, digest, credentials, password).await? {
            return Err(AuthError::InvalidCredentials);
        }
        let now = self.ambient.now();
        let claims = Claims {
            iss: &self.token_issuer,
            sub: client_id,
            client_id,
            iat: now.timestamp(),
            exp: (now + self.token_lifetime).timestamp(),
            jti: self.ambient.new_id(),
        };
        let access_token = self.own_keys.sign(&claims)?;
        Ok(IssuedToken { access_token, expires_in: self.token_lifetime.num_seconds().unsigned_abs() })
    }

    /// Whether the API key is good for this client and the password is one of its own. After a rotation both pairs are
    /// good for a while, and may be mixed, since callers rarely replace two secrets at once.
    async fn prove(
        &self,
        is_owner: bool,
        digest: [u8; 32],
        mut credentials: Vec<CredentialRecord>,
        password: &str,
    ) -> Result<bool, AuthError> {
        let now = self.ambient.now();
        credentials.retain(|credential| credential.expires_at.is_none_or(|at| now < at));
        if !is_owner || !credentials.iter().any(|credential| credential.api_key_digest == digest) {
            return self.passwords.verify(password, None).await;
        }
        // The one that the key belongs to is by far the likeliest.
        credentials.sort_by_key(|credential| credential.api_key_digest != digest);
        for credential in credentials {
            if self.passwords.verify(password, Some(credential.password_hash)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who is calling, from the `Authorization` and `x-api-key` headers.
    ///
    /// In the common case this hashes both, finds both in caches, and neither reads the database nor checks a
    /// signature.
    ///
    /// # Errors
    /// The token is judged first, then the API key, then whether they belong together.
    pub async fn authenticate(&self, authorization: Option<&str>, api_key: Option<&str>) -> Result<Caller, AuthError> {
        let client_id = self.client_of_token(bearer(authorization)?).await?;
        let api_key = api_key.ok_or(AuthError::InvalidApiKey)?;
        let owner = self.api_keys.owner(self.api_key_hash.digest(api_key)).await?;
        if owner.client_id == client_id { Ok(owner) } else { Err(AuthError::InvalidApiKey) }
    }

    async fn client_of_token(&self, token: &str) -> Result<Uuid, AuthError> {
        let mut digest = [0; 32];
        digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()).as_ref());
        if let Some(known) = self.tokens.get(&digest).await {
            if self.ambient.now() < known.until && self.generation(known.verifier) == known.generation {
                return Ok(known.client_id);
            }
            self.tokens.invalidate(&digest).await;
        }
        let verified = self.verify(token).await?;
        self.tokens.insert(digest, verified).await;
        Ok(verified.client_id)
    }

    fn generation(&self, verifier: Verifier) -> u64 {
        match (verifier, &self.outside) {
            (Verifier::Own, _) => self.own_keys.generation(),
            (Verifier::Outside, outside) => outside.as_ref().map_or(0, OutsideIssuer::generation),
        }
    }

    /// Verifies a token by the keys of the issuer that it names; never by trying one after the other.
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
        let expires = check_times(&verified.claims, self.ambient.now(), leeway)?;
        Ok(KnownToken {
            client_id: client_id(&verified.claims, claim)?,
            until: verified.key_retires_at.map_or(expires, |retires| retires.min(expires)),
            verifier,
            generation: verified.generation,
        })
    }
}
