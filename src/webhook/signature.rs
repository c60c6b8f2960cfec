//! The signatures of webhooks: the header of the live service, and those of Standard Webhooks 1.0, with the same secret.

use std::fmt;

use chrono::{DateTime, Utc};
use ring::hmac;
use zeroize::Zeroizing;

use crate::env::Env;
use crate::signing::{SignatureError, SignedHeaders, SigningSecret};

/// The header of the live service: lower-case hex of HMAC-SHA256 over the raw body.
pub const BODY_SIGNATURE: &str = "x-signature-sha256";

/// Random bytes of a generated secret; the standard asks for 24 to 64.
pub const SECRET_BYTES: usize = 32;

/// The secret of an endpoint, as its owner knows it.
pub struct EndpointSecret {
    text: Zeroizing<String>,
}

impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointSecret")
    }
}

impl EndpointSecret {
    /// The secret with this text. The key of [`BODY_SIGNATURE`] is the text itself; the key of Standard Webhooks is what
    /// the base64 after `whsec_` encodes.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Zeroizing::new(text.into()) }
    }

    /// A new secret, of random bytes.
    #[must_use]
    pub fn make(env: &dyn Env) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        env.fill_random(bytes.as_mut_slice());
        Self::of_bytes(&bytes)
    }

    /// The secret of these bytes: `whsec_` and their base64.
    #[must_use]
    pub fn of_bytes(bytes: &[u8; SECRET_BYTES]) -> Self {
        Self::new(format!("whsec_{}", base64_simd::STANDARD.encode_to_string(bytes)))
    }

    /// The text, for its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value of [`BODY_SIGNATURE`].
    #[must_use]
    pub fn sign_body(&self, body: &[u8]) -> String {
        hex::encode(hmac::sign(&self.body_key(), body))
    }

    /// The value of `webhook-signature` for a message sent at `at`.
    #[must_use]
    pub fn sign(&self, id: &str, at: DateTime<Utc>, body: &[u8]) -> String {
        self.standard().sign(id, at, body)
    }

    /// Checks [`BODY_SIGNATURE`] in constant time.
    #[must_use]
    pub fn verify_body(&self, signature: &str, body: &[u8]) -> bool {
        hex::decode(signature).is_ok_and(|tag| hmac::verify(&self.body_key(), body, &tag).is_ok())
    }

    /// Checks the headers of Standard Webhooks.
    ///
    /// # Errors
    /// Why the message is not authentic.
    pub fn verify(&self, headers: SignedHeaders<'_>, body: &[u8], now: DateTime<Utc>) -> Result<(), SignatureError> {
        self.standard().verify(headers, body, now)
    }

    fn body_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.text.as_bytes())
    }

    fn standard(&self) -> SigningSecret {
        SigningSecret::of_receiver(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEnv;

    #[test]
    fn the_body_is_signed_as_the_live_service_does() {
        // RFC 4231, test case 2.
        let signature = EndpointSecret::new("Jefe").sign_body(b"what do ya want for nothing?");
        assert_eq!(signature, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let secret = EndpointSecret::new("Jefe");
        assert!(secret.verify_body(&signature, b"what do ya want for nothing?"));
        assert!(!secret.verify_body(&signature, b"what do ya want for something?"));
        assert!(!secret.verify_body("5b", b"") && !secret.verify_body("zz", b"") && !secret.verify_body("é", b""));
    }

    #[test]
    fn a_made_secret_is_what_standard_libraries_take_and_does_not_print() {
        let secret = EndpointSecret::make(&SystemEnv::default());
        assert!(SigningSecret::parse(secret.expose()).is_ok());
        assert_eq!(format!("{secret:?}"), "EndpointSecret");
    }

    #[test]
    fn a_secret_of_the_live_service_signs_whatever_its_length() {
        let secret = EndpointSecret::new("short");
        let at = DateTime::from_timestamp(1_000, 0).expect("a time");
        let signature = secret.sign("id", at, b"{}");
        let headers = SignedHeaders { id: Some("id"), timestamp: Some("1000"), signature: Some(&signature) };
        assert_eq!(secret.verify(headers, b"{}", at), Ok(()));
    }
}
