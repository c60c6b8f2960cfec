//! External ids: who has one already, and what is said of one that is used twice.

use kira_gateway::Warnings;
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::problem::{Path, Problem};
use tonic::{Response, Status};
use uuid::Uuid;

use crate::contract::v1;
use crate::domain::lookup::{self, Purpose};
use crate::profile::{self, Profile};
use crate::service::failure::of_store;
use crate::service::users::{Users, open_profile};
use crate::store::{IdRange, IndexChange, UserRecord};

/// How many users with one external id are looked at: the user itself, another one, and a few that have it no more.
const LOOKED_AT: u64 = 4;
/// Where warnings about external ids point to.
const FIELD: &str = "external_id";

impl Users {
    /// The digest of an external id.
    fn digest_of_external_id(&self, client_id: Uuid, external_id: Option<&str>) -> Option<Uuid> {
        let value = lookup::external_id(external_id?);
        Some(self.index.digest(client_id, Purpose::ExternalId.label(), value.as_bytes()))
    }

    /// The digest that no other user may have, where external ids are unique.
    pub(in crate::service) fn unique_external_id(&self, client_id: Uuid, external_id: Option<&str>) -> Option<Uuid> {
        self.digest_of_external_id(client_id, external_id).filter(|_| self.unique_external_ids)
    }

    /// Other users of the client that have this external id, or had it: the newest of a few.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub(in crate::service) async fn users_with_external_id(
        &self,
        client_id: Uuid,
        external_id: Option<&str>,
    ) -> Result<Vec<Uuid>, Status> {
        let Some(digest) = self.digest_of_external_id(client_id, external_id) else { return Ok(Vec::new()) };
        let found = self.store.indexed_users(client_id, digest, IdRange::default(), LOOKED_AT);
        found.await.map_err(of_store)
    }

    /// The first of these users, but for `own`, that has this external id indeed.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub(in crate::service) async fn first_with_external_id(
        &self,
        (client_id, own): (Uuid, Option<Uuid>),
        candidates: Vec<Uuid>,
        external_id: Option<&str>,
    ) -> Result<Option<Uuid>, Status> {
        for id in candidates.into_iter().filter(|id| Some(*id) != own) {
            let Some(mut row) = self.store.find_user(client_id, id).await.map_err(of_store)? else { continue };
            let (_, other) = open_profile(&self.vault, &mut row)?;
            if profile::lookup::external_id(&other) == external_id {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The user, but for `own`, that has an external id, where they are unique. Users whose external ids were not kept apart when
    /// they got them are found by the index; of two requests at once one finds the other's row.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub(in crate::service) async fn owner_of_external_id(
        &self,
        client_id: Uuid,
        own: Option<Uuid>,
        external_id: Option<&str>,
    ) -> Result<Option<Uuid>, Status> {
        if self.unique_external_id(client_id, external_id).is_none() {
            return Ok(None);
        }
        let candidates = self.users_with_external_id(client_id, external_id).await?;
        self.first_with_external_id((client_id, own), candidates, external_id).await
    }

    /// What a change does to the user's entries in the index and to its external id.
    pub(in crate::service) fn index_change(&self, row: &UserRecord, before: &Profile, after: &Profile) -> IndexChange {
        let change = super::change(&self.index, row, before, after);
        let digest = |of| self.digest_of_external_id(row.client_id, profile::lookup::external_id(of));
        let (old, new) = (digest(before), digest(after));
        if old == new {
            return change;
        }
        // It is given up also where they are not unique now, but were.
        IndexChange {
            released_external_id: old,
            unique_external_id: new.filter(|_| self.unique_external_ids),
            ..change
        }
    }
}

/// Another user has the external id.
pub(in crate::service) fn external_id_taken(owner: Uuid) -> Status {
    error::status(ErrorReason::ExternalIdTaken, format!("The user {owner} has this external_id"))
}

/// A created user, with a warning that `other` has the same external id.
pub(in crate::service) fn with_warning(
    mut response: Response<v1::CreateUserResponse>,
    other: Option<Uuid>,
) -> Response<v1::CreateUserResponse> {
    let Some(other) = other else { return response };
    let (code, message) = ("external_id_in_use", format!("The user {other} has the same external_id"));
    let warning = v1::Warning { path: FIELD.to_owned(), message: message.clone(), code: code.to_owned() };
    response.get_mut().warnings.push(warning);
    let problem = Problem { path: Path::key(0, FIELD), code: code.into(), message: message.into() };
    response.extensions_mut().insert(Warnings(vec![problem]));
    response
}
