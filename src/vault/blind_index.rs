//! Digests by which sealed values are found again.
//!
//! Each client and purpose has a key of its own, derived from one secret: equal values of one client and purpose have equal
//! digests, and nothing else can be compared. Without the secret a digest says nothing about its value, however few values
//! there may be. The secret is sealed under the master keys, so that a new master key changes no digest.

use uuid::Uuid;

use super::KeyedHash;

/// Separates these keys from any others that may be derived from the secret.
const LABEL: &[u8] = b"kira-users/blind-index/";

/// The digests of one installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BlindIndex {
    secret: KeyedHash,
}

impl BlindIndex {
    /// The digests under `secret`: 32 random bytes, opened with `Vault::open_secret`.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { secret: KeyedHash::new(secret) }
    }

    /// The digest of a value: 128 bits, which do not meet by chance. Not a UUID of any version, but as long as one.
    #[must_use]
    pub fn digest(&self, client_id: Uuid, purpose: &str, value: &[u8]) -> Uuid {
        let mut digest = [0; 16];
        digest.copy_from_slice(&self.mac(client_id, purpose, value)[..16]);
        uuid::Builder::from_custom_bytes(digest).into_uuid()
    }

    /// Proves that the service itself has made `value` for this client.
    #[must_use]
    pub fn mac(&self, client_id: Uuid, purpose: &str, value: &[u8]) -> [u8; 32] {
        let mut key = self.secret.context();
        key.update(LABEL);
        key.update(client_id.as_bytes());
        // The only part of no fixed length is the last.
        key.update(purpose.as_bytes());
        KeyedHash::new(&key.finish()).digest(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &[u8] = b"ada@example.com";

    #[test]
    fn a_value_has_one_digest_for_each_client_purpose_and_secret() {
        let (index, client) = (BlindIndex::new(&[7; 32]), Uuid::from_u128(1));
        let digest = index.digest(client, "email", ADA);
        assert_eq!(digest, BlindIndex::new(&[7; 32]).digest(client, "email", ADA));
        for other in [
            index.digest(Uuid::from_u128(2), "email", ADA),
            index.digest(client, "name", ADA),
            index.digest(client, "email", b"bob@example.com"),
            BlindIndex::new(&[8; 32]).digest(client, "email", ADA),
        ] {
            assert_ne!(digest, other);
        }
    }

    /// Computed with Python's `hmac`: the key is the HMAC of label, client and purpose under the secret.
    #[test]
    fn digests_never_change() {
        let digest = BlindIndex::new(&[7; 32]).digest(Uuid::from_u128(1), "email", ADA);
        assert_eq!(digest.simple().to_string(), "78de692ec0348971b0ae1498ce9f97ff");
    }
}
