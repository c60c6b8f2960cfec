//! Legal holds, for the contract's calls and the command line.

use kira_gateway::error::{self, ErrorReason};
use tonic::Status;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Eraser;
use crate::contract::v1;
use crate::domain::erasure::Authority;
use crate::service::convert::whole_seconds;
use crate::service::failure::{corrupt, of_store, of_vault};
use crate::service::idempotency::Keyed;
use crate::service::request::note_user;
use crate::service::users::user_not_found;
use crate::store::{HoldRecord, Once, Placed, Released};
use crate::vault::{AeadContext, DataKey, Owner};

/// Holds that a user may have, released ones included.
const MOST_HOLDS: usize = 100;

impl Eraser {
    /// The holds on a user, oldest first; released ones too.
    ///
    /// # Errors
    /// NOT_FOUND; UNAVAILABLE without the database.
    pub async fn holds(&self, client_id: Uuid, user_id: Uuid) -> Result<Vec<v1::Hold>, Status> {
        let key = self.data_key(client_id, user_id).await?;
        let holds = self.users.store.list_holds(client_id, user_id).await.map_err(of_store)?;
        holds.iter().map(|hold| shown(hold, &key)).collect()
    }

    /// Places a hold on a user; and whether an earlier request with the same key did.
    ///
    /// # Errors
    /// NOT_FOUND; `INVALID_STATE` where the user has as many holds as it may; `IDEMPOTENCY_KEY_REUSED`; UNAVAILABLE
    /// without the database.
    pub async fn place_hold(
        &self,
        client_id: Uuid,
        user_id: Uuid,
        reason: &str,
        authority: Authority,
        keyed: Option<&Keyed>,
    ) -> Result<(v1::Hold, bool), Status> {
        let key = self.data_key(client_id, user_id).await?;
        if let Some(id) = self.used_for(keyed).await? {
            return Ok((self.hold((client_id, user_id, id), &key).await?, true));
        }
        let id = self.users.env.new_id();
        let hold = HoldRecord {
            id,
            client_id,
            user_id,
            sealed_reason: key.seal(&AeadContext::HoldReason(id), reason.as_bytes().to_vec()),
            placed_by: authority,
            placed_at: self.users.env.now(),
            released_at: None,
        };
        let claim = keyed.map(|keyed| keyed.claim(&self.users.fingerprints, Some(id), None));
        match self.users.store.place_hold(hold.clone(), MOST_HOLDS, claim).await.map_err(of_store)? {
            Once::Done(Placed::Done) => Ok((shown(&hold, &key)?, false)),
            Once::Done(Placed::NoUser) => Err(user_not_found(user_id)),
            Once::Done(Placed::TooMany) => {
                Err(error::status(ErrorReason::InvalidState, format!("The user has {MOST_HOLDS} holds")))
            }
            Once::Claimed(_) => {
                let id = self.used_for(keyed).await?.ok_or_else(|| corrupt("a claim that is gone"))?;
                Ok((self.hold((client_id, user_id, id), &key).await?, true))
            }
        }
    }

    /// Releases a hold; and whether an earlier request with the same key did.
    ///
    /// # Errors
    /// NOT_FOUND; `INVALID_STATE` where another authority placed it; `IDEMPOTENCY_KEY_REUSED`; UNAVAILABLE without the
    /// database.
    pub async fn release_hold(
        &self,
        (client_id, user_id, id): (Uuid, Uuid, Uuid),
        authority: Authority,
        keyed: Option<&Keyed>,
    ) -> Result<(v1::Hold, bool), Status> {
        let key = self.data_key(client_id, user_id).await?;
        if self.used_for(keyed).await?.is_some() {
            return Ok((self.hold((client_id, user_id, id), &key).await?, true));
        }
        let claim = keyed.map(|keyed| keyed.claim(&self.users.fingerprints, Some(id), None));
        let now = self.users.env.now();
        let released = self.users.store.release_hold((client_id, user_id, id), authority, now, claim);
        match released.await.map_err(of_store)? {
            Once::Done(Released::Done(hold)) => Ok((shown(&hold, &key)?, false)),
            Once::Done(Released::NoHold) => Err(hold_not_found(id)),
            Once::Done(Released::NotYours) => {
                Err(error::status(ErrorReason::InvalidState, "Another authority placed this hold"))
            }
            Once::Claimed(known) => {
                keyed.map_or(Ok(()), |keyed| keyed.check(&self.users.fingerprints, &known))?;
                Ok((self.hold((client_id, user_id, id), &key).await?, true))
            }
        }
    }

    /// What an earlier request with the key made or changed. None: there is no key, or it is free.
    async fn used_for(&self, keyed: Option<&Keyed>) -> Result<Option<Uuid>, Status> {
        let Some(keyed) = keyed else { return Ok(None) };
        let Some(known) = self.users.store.find_claim(keyed.scope()).await.map_err(of_store)? else {
            return Ok(None);
        };
        keyed.check(&self.users.fingerprints, &known)?;
        known.resource_id.map(Some).ok_or_else(|| corrupt("a claim without its hold"))
    }

    async fn hold(&self, id: (Uuid, Uuid, Uuid), key: &DataKey) -> Result<v1::Hold, Status> {
        let found = self.users.store.find_hold(id).await.map_err(of_store)?;
        shown(&found.ok_or_else(|| hold_not_found(id.2))?, key)
    }

    async fn data_key(&self, client_id: Uuid, user_id: Uuid) -> Result<DataKey, Status> {
        note_user(user_id);
        let row = self.users.store.find_user(client_id, user_id).await.map_err(of_store)?;
        let row = row.ok_or_else(|| user_not_found(user_id))?;
        self.users.vault.open_data_key(Owner { client_id, user_id }, &row.wrapped_key).map_err(of_vault)
    }
}

fn shown(hold: &HoldRecord, key: &DataKey) -> Result<v1::Hold, Status> {
    let reason = key.open(&AeadContext::HoldReason(hold.id), hold.sealed_reason.clone()).map_err(of_vault)?;
    let reason = Zeroizing::new(reason);
    let reason = std::str::from_utf8(&reason).map_err(|_| corrupt("the reason of a hold"))?;
    Ok(v1::Hold {
        id: hold.id.to_string(),
        reason: reason.to_owned(),
        placed_by: match hold.placed_by {
            Authority::Client => v1::HoldAuthority::Client,
            Authority::Operator => v1::HoldAuthority::Operator,
        }
        .into(),
        placed_at: Some(whole_seconds(hold.placed_at)),
        released_at: hold.released_at.map(whole_seconds),
    })
}

fn hold_not_found(id: Uuid) -> Status {
    error::status(ErrorReason::NotFound, format!("Hold with ID {id} not found"))
}
