//! Signed messages between services: Standard Webhooks 1.0 with symmetric keys, for which every language has libraries.
//!
//! The signature is HMAC-SHA256 over `id.timestamp.body`, so neither the time nor the id of a message can be changed. A
//! receiver rejects messages that are too old, and processes each id once.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use ring::hmac;
use zeroize::Zeroizing;

/// The header of the message's id, which stays the same in retries.
pub const ID: &str = "webhook-id";
/// The header of the time of sending, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header of the signatures, which are separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// The largest difference between the time of a message and the clock, in both directions.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The prefix of a secret that is written in base64.
const ENCODED: &str = "whsec_";
/// The version of the signatures.
const VERSION: &str = "v1,";
/// The shortest secret in bytes; the standard asks for 24 to 64.
const MIN_BYTES: usize = 24;

/// A shared secret.
#[derive(Clone)]
pub struct SigningSecret {
    key: hmac::Key,
}

/// A text that cannot be used as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a signing secret is whsec_ and the base64 of at least {MIN_BYTES} bytes, or a text of at least {MIN_BYTES} bytes"
)]
pub struct UnusableSecret;

/// Why a message is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or malformed.
    #[error("the message is not signed")]
    Unsigned,
    /// It was sent too long ago, or in the future.
    #[error("the time of the message is too far from now")]
    OutOfTime,
    /// None of its signatures matches.
    #[error("the signature does not match")]
    Mismatch,
}

/// The headers of a signed message.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignedHeaders<'a> {
    /// [`ID`].
    pub id: Option<&'a str>,
    /// [`TIMESTAMP`].
    pub timestamp: Option<&'a str>,
    /// [`SIGNATURE`].
    pub signature: Option<&'a str>,
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningSecret").finish_non_exhaustive()
    }
}

impl SigningSecret {
    /// Parses `whsec_` and base64. Any other text is used as its bytes.
    ///
    /// # Errors
    /// The secret is too short, or not base64 after `whsec_`.
    pub fn parse(text: &str) -> Result<Self, UnusableSecret> {
        let bytes = Zeroizing::new(match text.strip_prefix(ENCODED) {
            Some(encoded) => base64_simd::STANDARD.decode_to_vec(encoded).map_err(|_| UnusableSecret)?,
            None => text.as_bytes().to_vec(),
        });
        if bytes.len() < MIN_BYTES {
            return Err(UnusableSecret);
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    /// A secret that a receiver of messages has chosen: as [`SigningSecret::parse`] reads it, else the bytes of the text, of
    /// any length. A weak secret is the receiver's own risk.
    #[must_use]
    pub fn of_receiver(text: &str) -> Self {
        let own = || Self { key: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()) };
        Self::parse(text).unwrap_or_else(|_| own())
    }

    /// The value of [`SIGNATURE`] for a message sent at `at`.
    #[must_use]
    pub fn sign(&self, id: &str, at: DateTime<Utc>, body: &[u8]) -> String {
        let tag = hmac::sign(&self.key, &signed(id, &at.timestamp().to_string(), body));
        format!("{VERSION}{}", base64_simd::STANDARD.encode_to_string(tag.as_ref()))
    }

    /// Verifies a message that arrived at `now`, in constant time.
    ///
    /// # Errors
    /// Why the message is rejected.
    pub fn verify(&self, headers: SignedHeaders<'_>, body: &[u8], now: DateTime<Utc>) -> Result<(), SignatureError> {
        let SignedHeaders { id: Some(id), timestamp: Some(timestamp), signature: Some(signatures) } = headers else {
            return Err(SignatureError::Unsigned);
        };
        let sent = timestamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let sent = sent.ok_or(SignatureError::Unsigned)?;
        let content = signed(id, timestamp, body);
        let matches = |signature: &str| {
            let tag = signature.strip_prefix(VERSION).and_then(|text| base64_simd::STANDARD.decode_to_vec(text).ok());
            tag.is_some_and(|tag| hmac::verify(&self.key, &content, &tag).is_ok())
        };
        if !signatures.split(' ').any(matches) {
            return Err(SignatureError::Mismatch);
        }
        // After the signature: an unauthenticated caller learns nothing about the clock.
        if (now - sent).abs() > TOLERANCE { Err(SignatureError::OutOfTime) } else { Ok(()) }
    }
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn secret() -> SigningSecret {
        SigningSecret::parse(SECRET).expect("a secret")
    }

    fn check(timestamp: &str, signature: &str, now: i64) -> Result<(), SignatureError> {
        let headers = SignedHeaders { id: Some(ID), timestamp: Some(timestamp), signature: Some(signature) };
        secret().verify(headers, BODY, at(now))
    }

    #[test]
    fn the_signature_is_that_of_the_standard() {
        let signature = secret().sign(ID, at(1_614_265_330), BODY);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn one_good_signature_among_several_is_enough() {
        let good = secret().sign(ID, at(1_000), BODY);
        assert_eq!(check("1000", &format!("v1,AAAA v1a,b {good}"), 1_000), Ok(()));
        assert_eq!(check("1000", "v1,AAAA v2,x", 1_000), Err(SignatureError::Mismatch));
    }

    #[test]
    fn neither_time_nor_body_nor_id_can_be_changed() {
        let good = secret().sign(ID, at(1_000), BODY);
        assert_eq!(check("1001", &good, 1_000), Err(SignatureError::Mismatch));
        let of = |id, body: &[u8]| {
            let headers = SignedHeaders { id: Some(id), timestamp: Some("1000"), signature: Some(&good) };
            secret().verify(headers, body, at(1_000))
        };
        assert_eq!(of("other", BODY), Err(SignatureError::Mismatch));
        assert_eq!(of(ID, b"{}"), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_message_that_is_too_old_or_of_the_future_is_rejected() {
        let good = secret().sign(ID, at(1_000), BODY);
        assert_eq!(check("1000", &good, 1_300), Ok(()));
        assert_eq!(check("1000", &good, 1_301), Err(SignatureError::OutOfTime));
        assert_eq!(check("1000", &good, 700), Ok(()));
        assert_eq!(check("1000", &good, 699), Err(SignatureError::OutOfTime));
    }

    #[test]
    fn a_message_without_its_headers_is_unsigned() {
        assert_eq!(secret().verify(SignedHeaders::default(), BODY, at(0)), Err(SignatureError::Unsigned));
        assert_eq!(check("soon", "v1,AAAA", 0), Err(SignatureError::Unsigned));
    }

    #[test]
    fn a_secret_has_enough_bytes_and_does_not_print() {
        assert!(SigningSecret::parse("whsec_c2hvcnQ=").is_err());
        assert!(SigningSecret::parse("whsec_***").is_err());
        assert!(SigningSecret::parse("short").is_err());
        let secret = SigningSecret::parse("a text of twenty-four bytes").expect("long enough");
        assert_eq!(format!("{secret:?}"), "SigningSecret { .. }");
    }
}
