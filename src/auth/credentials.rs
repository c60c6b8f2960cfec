//! What a client proves itself with.

use std::fmt;

use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::directory::{Directory, DirectoryError};
use crate::ambient::Ambient;
use crate::vault::KeyedHash;

/// The credentials of a client in clear. They exist when they are made, are shown once, and are kept only as hashes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Credentials {
    /// The client; no secret.
    #[zeroize(skip)]
    pub client_id: Uuid,
    /// For `POST /auth` alone.
    pub password: String,
    /// For every call.
    pub api_key: String,
}

impl Credentials {
    /// New credentials for a client: 256 random bits each.
    #[must_use]
    pub fn generate(client_id: Uuid, ambient: &dyn Ambient) -> Self {
        // The prefix lets people and secret scanners recognise a leaked key.
        Self { client_id, password: random_text(ambient), api_key: format!("kira_{}", random_text(ambient)) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// 256 random bits as 43 characters that need no escaping in a URL, a header or a shell.
fn random_text(ambient: &dyn Ambient) -> String {
    let mut bytes = Zeroizing::new([0; 32]);
    ambient.fill_random(bytes.as_mut());
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes.as_ref())
}

/// Turns API keys into the digests by which they are kept and found.
///
/// A fast keyed hash is enough for them: a key of 256 random bits cannot be guessed, whatever the hash costs.
pub(super) struct ApiKeyHash(KeyedHash);

impl ApiKeyHash {
    /// Over the installation's pepper, which is made on first use.
    pub(super) async fn open(directory: &dyn Directory, ambient: &dyn Ambient) -> Result<Self, DirectoryError> {
        let mut fresh = Zeroizing::new([0; 32]);
        ambient.fill_random(fresh.as_mut());
        let pepper = directory.ensure_secret("api-key-pepper", fresh.as_ref(), ambient.now()).await?;
        Ok(Self(KeyedHash::new(&pepper)))
    }

    pub(super) fn digest(&self, api_key: &str) -> [u8; 32] {
        self.0.digest(api_key.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::System;

    #[test]
    fn generated_credentials_have_256_random_bits_each() {
        let credentials = Credentials::generate(Uuid::nil(), &System::default());
        let other = Credentials::generate(Uuid::nil(), &System::default());
        assert_eq!((credentials.password.len(), credentials.api_key.len()), (43, 48));
        assert!(credentials.api_key.starts_with("kira_"));
        assert!(credentials.password != other.password && credentials.api_key != other.api_key);
    }

    #[test]
    fn credentials_do_not_print_their_secrets() {
        let credentials = Credentials::generate(Uuid::nil(), &System::default());
        let printed = format!("{credentials:?}");
        assert!(!printed.contains(&credentials.password) && !printed.contains(&credentials.api_key), "{printed}");
    }
}
