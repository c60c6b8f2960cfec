//! Certificates of erasures: a statement that is signed with the installation's key.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::erasure::Cause;
use crate::store::{Certificate, Deleted};
use crate::vault::{EvidenceKey, is_signed};

/// The version of the format.
const VERSION: u32 = 1;

/// What a certificate says. No personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The version of the format.
    pub version: u32,
    /// The client that owned the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// When it was erased: RFC 3339 in UTC.
    pub erased_at: String,
    /// Why: `client`, `operator` or `expired`.
    pub cause: String,
    /// What was deleted besides the data key and the profile.
    pub deleted: Deleted,
    /// The public key that it is signed with: base64 of 32 bytes.
    pub public_key: String,
}

/// Why a certificate is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificate {
    /// It is no JSON object with a statement and a signature.
    #[error("this is no certificate of an erasure")]
    Unreadable,
    /// Another key signed it than the one that is expected.
    #[error("the certificate was signed with another key")]
    OtherKey,
    /// The signature is not that of the statement.
    #[error("the signature does not match the statement")]
    Mismatch,
}

/// Certifies an erasure.
pub(super) fn certify(
    key: &EvidenceKey,
    (client_id, user_id): (Uuid, Uuid),
    erased_at: DateTime<Utc>,
    cause: Cause,
    deleted: Deleted,
) -> Certificate {
    let statement = Statement {
        version: VERSION,
        client_id,
        user_id,
        erased_at: erased_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        cause: cause.into_str().to_owned(),
        deleted,
        public_key: key.public(),
    };
    // Texts and numbers: they are always JSON.
    let statement = serde_json::to_string(&statement).expect("a statement is JSON");
    Certificate { signature: key.sign(statement.as_bytes()), statement }
}

/// When the certificate says that the user was erased.
pub(super) fn erased_at(certificate: &Certificate) -> Option<DateTime<Utc>> {
    let statement: Statement = serde_json::from_str(&certificate.statement).ok()?;
    statement.erased_at.parse().ok()
}

/// Verifies a certificate, as the API or `kira-users erasures` show it. Only `public_key` is accepted, where it is given.
///
/// # Errors
/// Why it is not valid.
pub fn verify(json: &[u8], public_key: Option<&str>) -> Result<Statement, InvalidCertificate> {
    read(json, public_key).map(|(statement, _)| statement)
}

/// A certificate that this key signed, with what it says.
pub(super) fn verified(json: &[u8], public_key: &str) -> Result<(Statement, Certificate), InvalidCertificate> {
    read(json, Some(public_key))
}

fn read(json: &[u8], public_key: Option<&str>) -> Result<(Statement, Certificate), InvalidCertificate> {
    let certificate: Certificate = serde_json::from_slice(json).map_err(|_| InvalidCertificate::Unreadable)?;
    let statement: Statement =
        serde_json::from_str(&certificate.statement).map_err(|_| InvalidCertificate::Unreadable)?;
    if public_key.is_some_and(|expected| expected.trim() != statement.public_key) {
        return Err(InvalidCertificate::OtherKey);
    }
    let signature = certificate.signature.as_bytes();
    if !is_signed(certificate.statement.as_bytes(), signature, &statement.public_key) {
        return Err(InvalidCertificate::Mismatch);
    }
    Ok((statement, certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> EvidenceKey {
        EvidenceKey::of_seed(&[seed; 32]).expect("a seed")
    }

    fn certificate() -> Certificate {
        let deleted = Deleted { documents: 2, ..Deleted::default() };
        let at = "2026-11-28T12:00:00.5Z".parse().expect("a time");
        certify(&key(1), (Uuid::from_u128(1), Uuid::from_u128(2)), at, Cause::Client, deleted)
    }

    fn json(certificate: &Certificate) -> Vec<u8> {
        serde_json::to_vec(certificate).expect("JSON")
    }

    #[test]
    fn a_certificate_is_verified_and_says_what_was_deleted() {
        let statement = verify(&json(&certificate()), Some(&key(1).public())).expect("it is valid");
        assert_eq!((statement.user_id, statement.deleted.documents), (Uuid::from_u128(2), 2));
        assert_eq!((&*statement.erased_at, &*statement.cause), ("2026-11-28T12:00:00Z", "client"));
    }

    #[test]
    fn a_changed_statement_another_key_and_other_text_are_refused() {
        let mut changed = certificate();
        changed.statement = changed.statement.replace("\"documents\":2", "\"documents\":3");
        assert_eq!(verify(&json(&changed), None), Err(InvalidCertificate::Mismatch));
        let valid = json(&certificate());
        assert_eq!(verify(&valid, Some(&key(2).public())), Err(InvalidCertificate::OtherKey));
        assert_eq!(verify(b"{}", None), Err(InvalidCertificate::Unreadable));
    }
}
