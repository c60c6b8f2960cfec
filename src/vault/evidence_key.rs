//! The signatures of what must be provable later: manifests of the archive, certificates of erasures.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// The Ed25519 key of the installation that signs evidence.
pub struct EvidenceKey(Ed25519KeyPair);

impl std::fmt::Debug for EvidenceKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EvidenceKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

impl EvidenceKey {
    /// The key of a seed of 32 bytes. None: it has another length.
    #[must_use]
    pub fn of_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The public half: base64 of 32 bytes.
    #[must_use]
    pub fn public(&self) -> String {
        base64_simd::STANDARD.encode_to_string(self.0.public_key())
    }

    /// The signature of a message: base64 of 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        base64_simd::STANDARD.encode_to_string(self.0.sign(message))
    }
}

/// Whether `signature` is that of the message under this public key, both in base64.
#[must_use]
pub fn is_signed(message: &[u8], signature: &[u8], public_key: &str) -> bool {
    let decoded = |text: &[u8]| base64_simd::STANDARD.decode_to_vec(text.trim_ascii()).ok();
    let (Some(key), Some(signature)) = (decoded(public_key.as_bytes()), decoded(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(message, &signature).is_ok()
}
