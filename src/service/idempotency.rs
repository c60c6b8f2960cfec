//! What binds an idempotency key to the request that claimed it and to what that request made.
//!
//! The stored fingerprint is two keyed digests: of the request, and of the whole row. A writer to the database
//! without the key cannot make a row point at another user.

use kira_gateway::error::{self, ErrorReason};
use prost::Message;
use tonic::Status;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::failure::corrupt;
use super::request::optional_id;
use crate::store::{ClientClaim, FINGERPRINT_BYTES, IdempotencyRecord, IdempotencyScope, NewClaim};
use crate::vault::KeyedHash;

/// The bytes of one digest.
const DIGEST_BYTES: usize = 32;

/// The fingerprint that is stored for a request with the digest `request`, which made the user or what belongs to it.
pub(super) fn fingerprint(
    hash: &KeyedHash,
    scope: &IdempotencyScope,
    request: [u8; DIGEST_BYTES],
    user_id: Uuid,
    resource_id: Option<Uuid>,
) -> [u8; FINGERPRINT_BYTES] {
    let mut row = hash.context();
    // The operation is the only part of no fixed length; it is the last.
    row.update(b"row");
    row.update(&request);
    for id in [scope.client_id, scope.key, user_id, resource_id.unwrap_or_default()] {
        row.update(id.as_bytes());
    }
    row.update(scope.operation.as_bytes());
    let mut stored = [0; FINGERPRINT_BYTES];
    stored[..DIGEST_BYTES].copy_from_slice(&request);
    stored[DIGEST_BYTES..].copy_from_slice(&row.finish());
    stored
}

/// The digest of the request that made a claim.
///
/// # Errors
/// INTERNAL where the row is not as it was written.
pub(super) fn request_of(
    hash: &KeyedHash,
    scope: &IdempotencyScope,
    claim: &IdempotencyRecord,
) -> Result<[u8; DIGEST_BYTES], Status> {
    let mut request = [0; DIGEST_BYTES];
    request.copy_from_slice(&claim.fingerprint[..DIGEST_BYTES]);
    let expected = fingerprint(hash, scope, request, claim.user_id, claim.resource_id);
    if claim.fingerprint == expected { Ok(request) } else { Err(corrupt("a used idempotency key")) }
}

/// A request under its idempotency key that is about what belongs to the client, and to none of its users.
pub struct Keyed {
    scope: IdempotencyScope,
    request: [u8; DIGEST_BYTES],
}

impl Keyed {
    /// The request `message`, in which the key is left out; None without a key.
    ///
    /// # Errors
    /// INTERNAL for a key that was not checked.
    pub(super) fn of<M: Message>(
        hash: &KeyedHash,
        client_id: Uuid,
        operation: &'static str,
        key: Option<String>,
        message: &M,
    ) -> Result<Option<Self>, Status> {
        let Some(key) = optional_id(key)? else { return Ok(None) };
        let request = hash.digest(&Zeroizing::new(message.encode_to_vec()));
        Ok(Some(Self { scope: IdempotencyScope { client_id, operation, key }, request }))
    }

    /// Where the key is unique.
    pub(super) const fn scope(&self) -> &IdempotencyScope {
        &self.scope
    }

    /// The claim, of a request that makes or changes `resource_id`.
    pub(super) fn claim(
        &self,
        hash: &KeyedHash,
        resource_id: Option<Uuid>,
        outcome: Option<serde_json::Value>,
    ) -> ClientClaim {
        let IdempotencyScope { client_id, operation, key } = self.scope;
        let fingerprint = fingerprint(hash, &self.scope, self.request, client_id, resource_id);
        ClientClaim { client_id, claim: NewClaim { operation, key, fingerprint, outcome }, resource_id }
    }

    /// Checks that an earlier request with the key was this one.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED`; INTERNAL where the row is not as it was written.
    pub(super) fn check(&self, hash: &KeyedHash, known: &IdempotencyRecord) -> Result<(), Status> {
        if request_of(hash, &self.scope, known)? == self.request {
            Ok(())
        } else {
            Err(error::with_reason(ErrorReason::IdempotencyKeyReused))
        }
    }

    /// Bytes that cannot be computed without the key of `hash`, the same for every repetition of the request. What a call
    /// makes of them needs not be stored to be answered again.
    pub(super) fn derive(&self, hash: &KeyedHash) -> Zeroizing<[u8; DIGEST_BYTES]> {
        // A key of its own, so that no fingerprint, which is stored, is ever what is derived.
        let derivation = KeyedHash::new(Zeroizing::new(hash.digest(b"derived for an idempotency key")).as_slice());
        let mut derived = derivation.context();
        for id in [self.scope.client_id, self.scope.key] {
            derived.update(id.as_bytes());
        }
        derived.update(self.scope.operation.as_bytes());
        Zeroizing::new(derived.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_altered_anywhere_is_refused() {
        let hash = KeyedHash::new(&[7; 32]);
        let id = Uuid::from_u128;
        let scope = IdempotencyScope { client_id: id(1), operation: "create_user", key: id(2) };
        let stored = fingerprint(&hash, &scope, [3; 32], id(4), Some(id(5)));
        let claim = IdempotencyRecord { fingerprint: stored, user_id: id(4), resource_id: Some(id(5)), outcome: None };
        assert_eq!(request_of(&hash, &scope, &claim).expect("as it was written"), [3; 32]);
        let mut other_request = stored;
        other_request[0] ^= 1;
        for (scope, claim) in [
            (scope, IdempotencyRecord { user_id: id(6), ..claim.clone() }),
            (scope, IdempotencyRecord { resource_id: Some(id(6)), ..claim.clone() }),
            (scope, IdempotencyRecord { resource_id: None, ..claim.clone() }),
            (scope, IdempotencyRecord { fingerprint: other_request, ..claim.clone() }),
            (IdempotencyScope { key: id(6), ..scope }, claim.clone()),
            (IdempotencyScope { client_id: id(6), ..scope }, claim.clone()),
            (IdempotencyScope { operation: "create_verification", ..scope }, claim.clone()),
        ] {
            assert!(request_of(&hash, &scope, &claim).is_err(), "{scope:?} {claim:?}");
        }
    }
}
