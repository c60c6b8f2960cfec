//! The signatures of what is sent: the live service's header, and beside it those of Standard Webhooks 1.0, with the same
//! secret.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use ring::hmac;
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::signing::{Refusal, SignedHeaders, SigningSecret};

/// The header of the live service: lower-case hex of HMAC-SHA256 over the raw body.
pub const BODY_SIGNATURE: &str = "x-signature-sha256";

/// The random bytes of a secret that we make; the standard asks for 24 to 64.
const MADE: usize = 32;

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
    /// The secret that this text is. It keys [`BODY_SIGNATURE`] with its bytes as they stand; for Standard Webhooks,
    /// `whsec_` and base64 stand for the bytes that they encode.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Zeroizing::new(text.into()) }
    }

    /// A new secret: `whsec_` and base64 of random bytes.
    #[must_use]
    pub fn make(ambient: &dyn Ambient) -> Self {
        let mut bytes = Zeroizing::new([0; MADE]);
        ambient.fill_random(bytes.as_mut_slice());
        Self::new(format!("whsec_{}", base64_simd::STANDARD.encode_to_string(bytes.as_slice())))
    }

    /// The text, for its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value of [`BODY_SIGNATURE`].
    #[must_use]
    pub fn sign_body(&self, body: &[u8]) -> String {
        let tag = hmac::sign(&self.body_key(), body);
        tag.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes any text");
            hex
        })
    }

    /// The value of `webhook-signature` for a message sent at `at`.
    #[must_use]
    pub fn sign(&self, id: &str, at: DateTime<Utc>, body: &[u8]) -> String {
        self.standard().sign(id, at, body)
    }

    /// Checks [`BODY_SIGNATURE`], in a time that does not depend on where it differs.
    #[must_use]
    pub fn verify_body(&self, signature: &str, body: &[u8]) -> bool {
        let digits = signature.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let tag: Option<Vec<u8>> = digits.collect();
        tag.is_some_and(|tag| hmac::verify(&self.body_key(), body, &tag).is_ok())
    }

    /// Checks the headers of Standard Webhooks.
    ///
    /// # Errors
    /// Why the message is not to be believed.
    pub fn verify(&self, headers: SignedHeaders<'_>, body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
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
    use crate::ambient::System;

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
        let secret = EndpointSecret::make(&System::default());
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
