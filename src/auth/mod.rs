//! Authentication (decisions, section 1): clients, their credentials, access tokens.
//!
//! A call carries an access token and an API key, and both must belong to the same client. The common case costs two
//! hashes and two cache reads; see [`Authenticator::authenticate`].

mod admin;
mod api_keys;
mod authenticator;
mod claims;
mod credentials;
mod directory;
mod fair_queue;
mod jwks;
mod outside;
mod own_keys;
mod password;
mod reload;
mod role;
mod store_directory;
#[cfg(test)]
mod tests;

use std::fmt;

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::Status;
use uuid::Uuid;

pub use self::admin::{ClientAdmin, Imported, ImportedCredentials};
pub use self::authenticator::{Authenticator, IssuedToken, OpenError, REFRESH_INTERVAL};
pub use self::credentials::Credentials;
pub use self::directory::{ClientKeys, Directory, DirectoryError, Lookup, SigningKey};
pub use self::own_keys::{Jwk, PUBLICATION_DELAY, Rotation, rotate_signing_key};
pub use self::role::{Role, UnknownRole};
pub use self::store_directory::{StoreDirectory, sealed_name as signing_key_name};

/// `Retry-After` in seconds while the directory is unavailable.
const RETRY_AFTER: u32 = 1;

/// The client that a request was authenticated as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Its id.
    pub client_id: Uuid,
    /// What it may do.
    pub role: Role,
}

/// Why a request was not authenticated. The texts are those of decisions, section 1; causes are only
/// in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthError {
    /// There is no `Authorization` header, or it has no bearer token.
    NoToken,
    /// The token is malformed, is not signed by a known key, or has another audience.
    InvalidToken,
    /// The token has expired; only for tokens whose signature verifies.
    TokenExpired,
    /// The token verifies, but names no client.
    NoClientId,
    /// The API key is absent, unknown, expired, of another client or of a disabled one.
    InvalidApiKey,
    /// `POST /auth`: some part of the credentials is wrong; the error does not say which.
    InvalidCredentials,
    /// A dependency is unavailable; the caller should try again.
    Unavailable,
    /// An internal error.
    Internal,
}

impl AuthError {
    /// The message for the caller.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::NoToken => "No authorization token provided",
            Self::InvalidToken => "Invalid token",
            Self::TokenExpired => "Token expired",
            Self::NoClientId => "No client ID found in claims",
            Self::InvalidApiKey => "Invalid API key",
            Self::InvalidCredentials => "Invalid credentials",
            Self::Unavailable => "The service is temporarily unavailable",
            Self::Internal => "An unexpected error occurred",
        }
    }
}

impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable => error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER),
            AuthError::Internal => error::with_reason(ErrorReason::InternalError),
            _ => error::status(ErrorReason::Unauthorized, error.message()),
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for AuthError {}
