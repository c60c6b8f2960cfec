//! A captured webhook request and the check of its signatures.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::signing::{self, SignatureError, SignedHeaders};
use crate::webhook::signature::{BODY_SIGNATURE, EndpointSecret};

/// Header lines and a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Captured {
    /// By their names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// The file is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is not a request: header lines, an empty line and a body are expected")]
pub(super) struct NotARequest;

/// The result of the signature checks.
#[derive(Debug)]
pub(super) struct Verdict {
    /// `webhook-signature` (Standard Webhooks), regardless of its age.
    pub(super) standard: Result<(), SignatureError>,
    /// `x-signature-sha256`; none without the header.
    pub(super) body: Option<bool>,
    /// How long ago it was sent.
    pub(super) age: Option<TimeDelta>,
}

impl Captured {
    /// Reads header lines (a request line before them is skipped), an empty line, and the body.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NotARequest> {
        let mut headers = BTreeMap::new();
        let mut rest = bytes;
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or(NotARequest)?;
            let line = std::str::from_utf8(&rest[..end]).map_err(|_| NotARequest)?.trim_end();
            rest = &rest[end + 1..];
            match line.split_once(':') {
                Some((name, value)) => {
                    headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
                }
                None if line.is_empty() => return Ok(Self { headers, body: rest.to_vec() }),
                None if headers.is_empty() => {}
                None => return Err(NotARequest),
            }
        }
    }

    /// Checks both signatures. A captured request may be old, so its age is reported, not checked.
    pub(super) fn judge(&self, secret: &EndpointSecret, now: DateTime<Utc>) -> Verdict {
        let header = |name: &str| self.headers.get(name).map(String::as_str);
        let sent = header(signing::TIMESTAMP).and_then(|text| text.parse().ok());
        let sent = sent.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let signed = SignedHeaders {
            id: header(signing::ID),
            timestamp: header(signing::TIMESTAMP),
            signature: header(signing::SIGNATURE),
        };
        Verdict {
            standard: secret.verify(signed, &self.body, sent.unwrap_or(now)),
            body: header(BODY_SIGNATURE).map(|signature| secret.verify_body(signature, &self.body)),
            age: sent.map(|sent| now - sent),
        }
    }
}

impl Verdict {
    /// Whether `webhook-signature` is valid, and `x-signature-sha256` too if the request has one.
    pub(super) fn is_good(&self) -> bool {
        self.standard.is_ok() && self.body != Some(false)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.standard {
            Ok(()) => f.write_str("webhook-signature: good")?,
            Err(refusal) => write!(f, "webhook-signature: {refusal}")?,
        }
        f.write_str(match self.body {
            Some(true) => "; x-signature-sha256: good",
            Some(false) => "; x-signature-sha256: the signature does not match",
            None => "; x-signature-sha256: absent",
        })?;
        match self.age {
            Some(age) if age.abs() > signing::TOLERANCE => {
                write!(f, "; sent {} s ago, too far from now", age.num_seconds())
            }
            Some(age) => write!(f, "; sent {} s ago", age.num_seconds()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> EndpointSecret {
        EndpointSecret::new("a secret of twenty-four bytes")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn request(body: &str) -> Vec<u8> {
        let signature = secret().sign("id", at(1_000), b"{\"a\":1}");
        let hex = secret().sign_body(b"{\"a\":1}");
        let headers = format!("Webhook-Id: id\r\nWebhook-Timestamp: 1000\r\nWebhook-Signature: {signature}");
        format!("POST /hook HTTP/1.1\r\n{headers}\r\nX-Signature-SHA256: {hex}\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn a_captured_request_is_verified_whatever_its_age() {
        let captured = Captured::parse(&request("{\"a\":1}")).expect("a request");
        let verdict = captured.judge(&secret(), at(100_000));
        assert!(verdict.is_good());
        assert!(verdict.to_string().ends_with("sent 99000 s ago, too far from now"), "{verdict}");
    }

    #[test]
    fn one_more_byte_breaks_both_signatures() {
        let captured = Captured::parse(&request("{\"a\":1}\n")).expect("a request");
        let verdict = captured.judge(&secret(), at(1_000));
        assert_eq!((verdict.standard, verdict.body), (Err(SignatureError::Mismatch), Some(false)));
    }

    #[test]
    fn what_is_not_a_request_is_an_error() {
        for text in ["", "{}", "a: b\n{}\n\n", "a: b"] {
            assert_eq!(Captured::parse(text.as_bytes()), Err(NotARequest), "{text:?}");
        }
    }
}
