//! Changes of what belongs to a client and to none of its users, made once under an idempotency key.
//!
//! The claim is the first statement of the change's transaction: a concurrent repetition waits for it there, before it has
//! read or locked anything, and finds the claim when the first has committed. A change that was not made takes its claim
//! with it.

use chrono::{DateTime, Utc};
use entity::idempotency_key;
use sea_orm::{DbErr, EntityTrait};
use uuid::Uuid;

use super::{IdempotencyRecord, NewClaim, Store, StoreError, Transaction};

/// The claim of a request that is about none of the client's users.
#[derive(Clone, Debug)]
pub struct ClientClaim {
    /// The client whose key it is.
    pub client_id: Uuid,
    /// The key, and what it is used for.
    pub claim: NewClaim,
    /// What the request makes or changes, if it is one thing.
    pub resource_id: Option<Uuid>,
}

/// How a change under a key ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once<T> {
    /// It is made, durably; or it could not be, as the value says, and nothing was written.
    Done(T),
    /// The key was used before, or by a concurrent request that was faster; nothing was written.
    Claimed(IdempotencyRecord),
}

/// What the work of a change's transaction comes to.
pub(super) enum Ended<T> {
    /// Commit.
    Changed(T),
    /// Undo all of it, the claim too.
    Unchanged(T),
}

/// Why a transaction is undone.
pub(super) enum Undone<T> {
    Unchanged(T),
    Failed(StoreError),
}

impl<T, E: Into<StoreError>> From<E> for Undone<T> {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl<T> Ended<T> {
    /// For the transaction, which commits what is `Ok`.
    pub(super) fn into_result(self) -> Result<T, Undone<T>> {
        match self {
            Self::Changed(value) => Ok(value),
            Self::Unchanged(value) => Err(Undone::Unchanged(value)),
        }
    }
}

/// Runs work that says [`Ended`] in a transaction that begins with the claim, if there is one:
/// `once!(store, claim, now, |transaction| …)`.
macro_rules! once {
    ($store:expr, $claim:expr, $now:expr, |$transaction:ident| $work:expr) => {{
        let claim: Option<$crate::store::ClientClaim> = $claim;
        let outcome: Result<_, $crate::store::claims::Undone<_>> = in_transaction!($store, |$transaction| {
            if let Some(claim) = claim.clone() {
                claim.insert($transaction, $now).await?;
            }
            let ended: Result<$crate::store::claims::Ended<_>, $crate::store::StoreError> = $work;
            ended?.into_result()
        });
        $store.settle_once(claim, outcome).await
    }};
}
pub(super) use once;

impl ClientClaim {
    pub(super) async fn insert(self, transaction: &Transaction, now: DateTime<Utc>) -> Result<(), DbErr> {
        let Self { client_id, claim, resource_id } = self;
        // The row says that it is of no user by naming the client.
        let row = claim.into_row(client_id, client_id, resource_id, now);
        idempotency_key::Entity::insert(row).exec_without_returning(transaction).await.map(drop)
    }
}

impl Store {
    /// What a change under a key has come to.
    pub(super) async fn settle_once<T>(
        &self,
        claim: Option<ClientClaim>,
        outcome: Result<T, Undone<T>>,
    ) -> Result<Once<T>, StoreError> {
        let error = match outcome {
            Ok(value) | Err(Undone::Unchanged(value)) => return Ok(Once::Done(value)),
            Err(Undone::Failed(error)) => error,
        };
        // The row that the claim met, if it was that which failed.
        let Some(claim) = claim else { return Err(error) };
        match self.find_claim(&claim.claim.scope(claim.client_id)).await? {
            Some(known) => Ok(Once::Claimed(known)),
            None => Err(error),
        }
    }
}
