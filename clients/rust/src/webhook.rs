//! Signatures of webhooks, as Standard Webhooks 1.0 has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use ring::hmac;
use serde::Deserialize;

/// By how much the clocks may differ.
const TOLERANCE: Duration = Duration::from_secs(300);

/// A webhook that the service has signed. The same one may arrive twice: drop one whose `sequence` is not above the highest
/// of its user.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Webhook {
    /// What happened, such as `user.created`. A newer service may send others than this client knows.
    pub event: String,
    /// About whom or what.
    pub data: Data,
}

/// What a webhook is about.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Data {
    /// The same at every delivery of the event.
    pub event_id: String,
    /// The user; absent in a webhook about an endpoint.
    pub user_id: Option<String>,
    /// The status of the user after the event.
    pub status: Option<String>,
    /// The status before it, where it has changed.
    pub previous_status: Option<String>,
    /// Rises with every event of one user.
    pub sequence: Option<u64>,
    /// All other members.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// Why a request is not believed to be a webhook of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// One of the three headers is missing or unreadable.
    #[error("a header of the signature is missing")]
    NoSignature,
    /// It was sent too long ago, or will be.
    #[error("the timestamp is too far from now")]
    NotNow,
    /// No secret has signed it.
    #[error("no signature is of a known secret")]
    Unsigned,
    /// A secret is not what the service gave out.
    #[error("the secret is not base64 after whsec_")]
    BadSecret,
    /// What was signed is no webhook.
    #[error("the body is no webhook")]
    BadBody,
}

/// The webhook in a request, if one of the secrets has signed it. `body` must be the bytes as they came. Signatures are compared
/// in constant time.
///
/// # Errors
/// Why the request is not believed.
pub fn verify(secrets: &[&str], headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<Webhook, WebhookError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(WebhookError::NoSignature);
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let signatures = header("webhook-signature")?;
    if !is_near(timestamp, now) {
        return Err(WebhookError::NotNow);
    }
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    for secret in secrets {
        let key = key(secret)?;
        let tags = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
        let mut tags = tags.filter_map(|tag| base64_simd::STANDARD.decode_to_vec(tag).ok());
        if tags.any(|tag| hmac::verify(&key, &signed, &tag).is_ok()) {
            return serde_json::from_slice(body).map_err(|_| WebhookError::BadBody);
        }
    }
    Err(WebhookError::Unsigned)
}

fn is_near(timestamp: &str, now: SystemTime) -> bool {
    let is_number = timestamp.len() <= 12 && timestamp.bytes().all(|digit| digit.is_ascii_digit());
    let Some(sent) = timestamp.parse().ok().filter(|_| is_number) else { return false };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    now.abs_diff(Duration::from_secs(sent)) <= TOLERANCE
}

fn key(secret: &str) -> Result<hmac::Key, WebhookError> {
    let bytes = match secret.strip_prefix("whsec_") {
        None => secret.as_bytes().to_vec(),
        Some(encoded) => base64_simd::STANDARD.decode_to_vec(encoded).map_err(|_| WebhookError::BadSecret)?,
    };
    if bytes.is_empty() { Err(WebhookError::BadSecret) } else { Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the library of Standard Webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ] {
            headers.insert(name, value.parse().expect("a header"));
        }
        headers
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_example_of_the_standard_is_signed_and_what_differs_is_not() {
        let verify = |secrets: &[&str], signature: &str, body: &[u8], now: u64| {
            super::verify(secrets, &headers("1614265330", signature), body, at(now)).expect_err("no webhook of ours")
        };
        let two = format!("v1,AAAA {SIGNATURE}");
        // What is signed is no body of ours: that it comes so far says that the signature holds.
        for signature in [SIGNATURE, &two] {
            assert_eq!(verify(&["another secret", SECRET], signature, BODY, 1_614_265_330), WebhookError::BadBody);
        }
        assert_eq!(verify(&["another secret"], SIGNATURE, BODY, 1_614_265_330), WebhookError::Unsigned);
        assert_eq!(verify(&[SECRET], SIGNATURE, b"{}", 1_614_265_330), WebhookError::Unsigned);
        assert_eq!(verify(&[SECRET], "v2,AAAA", BODY, 1_614_265_330), WebhookError::Unsigned);
        assert_eq!(verify(&["whsec_%"], SIGNATURE, BODY, 1_614_265_330), WebhookError::BadSecret);
        assert_eq!(verify(&["whsec_"], SIGNATURE, BODY, 1_614_265_330), WebhookError::BadSecret);
        for far in [1_614_265_330 - 301, 1_614_265_330 + 301] {
            assert_eq!(verify(&[SECRET], SIGNATURE, BODY, far), WebhookError::NotNow);
        }
    }

    #[test]
    fn a_header_that_is_missing_or_odd_is_no_signature() {
        let verify = |headers: &HeaderMap| super::verify(&[SECRET], headers, BODY, at(1_614_265_330));
        assert_eq!(verify(&HeaderMap::new()), Err(WebhookError::NoSignature));
        for timestamp in ["", "soon", "+1614265330", "16142653300000"] {
            assert_eq!(verify(&headers(timestamp, SIGNATURE)), Err(WebhookError::NotNow), "{timestamp}");
        }
    }
}
