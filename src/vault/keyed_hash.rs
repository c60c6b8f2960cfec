//! Digests that only the holder of a key can compute.

use ring::hmac;

/// HMAC-SHA256 under one key. Without the key a digest of something guessable (an API key's prefix, a body with an SSN)
/// reveals nothing. Cheap to clone.
#[derive(Clone)]
pub struct KeyedHash {
    key: hmac::Key,
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyedHash").finish_non_exhaustive()
    }
}

impl KeyedHash {
    /// Digests under `key`: 32 random bytes, opened with `Vault::open_secret`.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The digest of `data`.
    #[must_use]
    pub fn digest(&self, data: &[u8]) -> [u8; 32] {
        let mut context = self.context();
        context.update(data);
        context.finish()
    }

    /// Starts the digest of data that comes in pieces; how it is cut makes no difference.
    #[must_use]
    pub fn context(&self) -> KeyedHashContext {
        KeyedHashContext { context: hmac::Context::with_key(&self.key) }
    }
}

/// A digest in progress.
#[derive(Clone)]
pub struct KeyedHashContext {
    context: hmac::Context,
}

impl std::fmt::Debug for KeyedHashContext {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyedHashContext").finish_non_exhaustive()
    }
}

impl KeyedHashContext {
    /// Adds a piece.
    pub fn update(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    /// The digest of all pieces.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        let mut digest = [0; 32];
        // SHA-256 makes 32 bytes.
        digest.copy_from_slice(self.context.sign().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let digest = KeyedHash::new(b"Jefe").digest(b"what do ya want for nothing?");
        assert_eq!(digest[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    }

    #[test]
    fn pieces_and_the_whole_have_one_digest() {
        let hash = KeyedHash::new(&[3; 32]);
        let mut context = hash.context();
        context.update(b"one ");
        context.update(b"two");
        assert_eq!(context.finish(), hash.digest(b"one two"));
        assert_ne!(hash.digest(b"one two"), KeyedHash::new(&[4; 32]).digest(b"one two"));
    }
}
