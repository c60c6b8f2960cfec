//! The credentials of clients.

use std::fmt;

use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::directory::{Directory, DirectoryError};
use crate::env::Env;
use crate::vault::KeyedHash;

/// The credentials of a client in clear. They are shown once and stored only as hashes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Credentials {
    /// The client's id; not secret.
    #[zeroize(skip)]
    pub client_id: Uuid,
    /// For `POST /auth` only.
    pub password: String,
    /// For every request.
    pub api_key: String,
}

impl Credentials {
    /// New credentials for a client: 256 random bits each.
    #[must_use]
    pub fn generate(client_id: Uuid, env: &dyn Env) -> Self {
        // The prefix lets people and secret scanners recognise a leaked key.
        Self { client_id, password: random_text(env), api_key: format!("kira_{}", random_text(env)) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// 256 random bits as 43 characters that need no escaping in a URL, a header or a shell.
fn random_text(env: &dyn Env) -> String {
    let mut bytes = Zeroizing::new([0; 32]);
    env.fill_random(bytes.as_mut());
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes.as_ref())
}

/// Turns API keys into the digests by which they are kept and found.
///
/// A fast keyed hash is enough for them: a key of 256 random bits cannot be guessed, whatever the hash costs.
pub(super) struct ApiKeyHash(KeyedHash);

impl ApiKeyHash {
    /// Over the installation's pepper, which is made on first use.
    pub(super) async fn open(directory: &dyn Directory, env: &dyn Env) -> Result<Self, DirectoryError> {
        let mut fresh = Zeroizing::new([0; 32]);
        env.fill_random(fresh.as_mut());
        let pepper = directory.ensure_secret("api-key-pepper", fresh.as_ref(), env.now()).await?;
        Ok(Self(KeyedHash::new(&pepper)))
    }

    pub(super) fn digest(&self, api_key: &str) -> [u8; 32] {
        self.0.digest(api_key.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEnv;

    #[test]
    fn generated_credentials_have_256_random_bits_each() {
        let credentials = Credentials::generate(Uuid::nil(), &SystemEnv::default());
        let other = Credentials::generate(Uuid::nil(), &SystemEnv::default());
        assert_eq!((credentials.password.len(), credentials.api_key.len()), (43, 48));
        assert!(credentials.api_key.starts_with("kira_"));
        assert!(credentials.password != other.password && credentials.api_key != other.api_key);
    }

    #[test]
    fn credentials_do_not_print_their_secrets() {
        let credentials = Credentials::generate(Uuid::nil(), &SystemEnv::default());
        let printed = format!("{credentials:?}");
        assert!(!printed.contains(&credentials.password) && !printed.contains(&credentials.api_key), "{printed}");
    }
}
