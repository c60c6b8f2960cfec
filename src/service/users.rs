//! The users service: both doors end here.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt, stream};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::off_thread;
use serde_json::json;
use tokio::sync::Notify;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::etag;
use super::failure::{corrupt, of_documents, of_store, of_vault};
use super::request::{caller, checked_id, note_user};
use super::response::{Numbers, Record, to_user};
use crate::ambient::{Ambient, SharedAmbient};
use crate::contract::v1;
use crate::contract::v1::users_service_server::UsersService;
use crate::domain::eligibility::Catalogue;
use crate::domain::requirements::{Report, report as judge};
use crate::domain::status::Status as UserStatus;
use crate::domain::verification::{AttemptState, Trigger};
use crate::profile::subject::subject;
use crate::profile::{self, Draft, Planned, PlannedDocument};
use crate::store::{
    Claim, ClaimScope, Creation, FIRST_VERSION, NewClaim, NewDocument, NewEvent, NewUser, NewVerification, Store,
    UserRecord,
};
use crate::telemetry;
use crate::vault::documents::DocumentStore;
use crate::vault::{DataKey, KeyedHash, Owner, Place, SEAL_OVERHEAD, Vault};

/// The operation that idempotency keys of creates are scoped to (decisions, section 7).
const CREATE_USER: &str = "create_user";
/// Files of one request that are stored at the same time.
const UPLOADS: usize = 4;
/// Documents of one request; each is a row of the one statement that stores them all, and engines limit its parameters.
pub(super) const MAX_DOCUMENTS: usize = 1_000;

/// Creates and shows users.
#[derive(Clone)]
pub struct Users {
    /// The database.
    pub store: Store,
    /// Seals personal data.
    pub vault: Vault,
    /// Keeps the files.
    pub documents: DocumentStore,
    /// Clock, identifiers, randomness.
    pub ambient: SharedAmbient,
    /// The keyed hash of idempotency fingerprints.
    pub fingerprints: KeyedHash,
    /// The products on offer.
    pub catalogue: Catalogue,
    /// How sensitive numbers are shown.
    pub numbers: Numbers,
    /// How long an attempt may take before a human looks at it.
    pub verification_deadline: TimeDelta,
    /// Told when a verification is asked for.
    pub verification_wanted: Arc<Notify>,
}

#[tonic::async_trait]
impl UsersService for Users {
    async fn create_user(
        &self,
        request: Request<v1::CreateUserRequest>,
    ) -> Result<Response<v1::CreateUserResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let v1::CreateUserRequest { idempotency_key, user } = request.into_inner();
        let key = checked_id(idempotency_key)?;
        let user = user.ok_or_else(|| corrupt("a request that was not checked"))?;
        let scope = ClaimScope { client_id, operation: CREATE_USER, key };
        let size = weigh(&user)?;
        let draft = off_thread(size, move || Draft::new(user)).await?;
        let fingerprint = draft.fingerprint(|canonical| self.fingerprints.digest(canonical));
        // A repeated request must not upload its files again; without files the create itself finds the claim.
        if size > 0
            && let Some(claim) = self.store.find_claim(&scope).await.map_err(of_store)?
        {
            return self.replay(client_id, claim, fingerprint).await;
        }
        let report = judge(&subject(draft.profile()), self.catalogue.codes());
        let created = self.create(scope, fingerprint, draft.plan(self.ambient.as_ref()), &report).await?;
        match created {
            Ok(user) => Ok(etag::tagged(v1::CreateUserResponse { user: Some(user) }, FIRST_VERSION)),
            Err(claim) => self.replay(client_id, claim, fingerprint).await,
        }
    }

    async fn get_user(&self, request: Request<v1::GetUserRequest>) -> Result<Response<v1::GetUserResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let id = checked_id(request.into_inner().user_id)?;
        let (user, version) = self.find(client_id, id).await?.ok_or_else(|| user_not_found(id))?;
        Ok(etag::tagged(v1::GetUserResponse { user: Some(user) }, version))
    }

    async fn update_user(
        &self,
        request: Request<v1::UpdateUserRequest>,
    ) -> Result<Response<v1::UpdateUserResponse>, Status> {
        self.update(request).await
    }

    async fn validate_user(
        &self,
        request: Request<v1::ValidateUserRequest>,
    ) -> Result<Response<v1::ValidateUserResponse>, Status> {
        let user = request.into_inner().user.ok_or_else(|| corrupt("a request that was not checked"))?;
        Ok(Response::new(self.validate(user)?))
    }
}

impl Users {
    /// Seals and stores a new user with its files, or gives the claim that an earlier request has on the key.
    async fn create(
        &self,
        scope: ClaimScope,
        fingerprint: [u8; 32],
        planned: Planned,
        report: &Report,
    ) -> Result<Result<v1::User, Claim>, Status> {
        let now = self.ambient.now();
        let id = self.ambient.new_id();
        let owner = Owner { client_id: scope.client_id, user_id: id };
        let (data_key, wrapped_key) = self.vault.new_data_key(owner);
        let Planned { profile, documents } = planned;
        let documents = self.upload(&data_key, documents).await?;
        let triggers = report.triggers_verification();
        let status = UserStatus::Created;
        let kind = kind(&profile);
        let reasons = Vec::new();
        let record = Record { id, status, reasons, verification_triggered: triggers, created_at: now, updated_at: now };
        let plaintext = profile::encode(&profile, SEAL_OVERHEAD);
        let new = NewUser {
            id,
            client_id: scope.client_id,
            kind,
            category: Some(subject(&profile).residence.as_str()),
            status: status.as_str(),
            verification: triggers.then(|| self.new_verification(Trigger::Create)),
            missing: report.missing().map(|(target, fields)| (target.to_owned(), json!(fields))).collect(),
            wrapped_key,
            profile: data_key.seal(&Place::UserProfile, plaintext),
            created_at: now,
            documents,
            claim: NewClaim { operation: scope.operation, key: scope.key, fingerprint },
            event: NewEvent {
                id: self.ambient.new_id(),
                kind: "user.created",
                payload: json!({"type": kind, "status": status.as_str()}),
            },
        };
        let objects: Vec<String> = new.documents.iter().map(|document| document.object_key.clone()).collect();
        // An error leaves open whether the user was stored, so that the files stay: the sweep knows later.
        match self.store.create_user(new).await.map_err(of_store)? {
            Creation::Inserted => {
                note_user(id);
                if triggers {
                    self.verification_wanted.notify_one();
                }
                Ok(Ok(to_user(&record, profile, &self.catalogue, self.numbers)))
            }
            Creation::Claimed(claim) => {
                if let Err(error) = self.documents.delete_all(objects).await {
                    tracing::warn!(%error, "files of a repeated request wait for the sweep");
                }
                Ok(Err(claim))
            }
        }
    }

    /// An attempt that a worker may take up at once.
    pub(super) fn new_verification(&self, trigger: Trigger) -> NewVerification {
        new_verification(self.ambient.as_ref(), trigger, self.verification_deadline)
    }

    /// Answers a repeated request: the user as it is now (decisions, section 7).
    async fn replay(
        &self,
        client_id: Uuid,
        claim: Claim,
        fingerprint: [u8; 32],
    ) -> Result<Response<v1::CreateUserResponse>, Status> {
        if claim.fingerprint != fingerprint {
            return Err(error::because(ErrorReason::IdempotencyKeyReused));
        }
        let found = self.find(client_id, claim.user_id).await?;
        let (user, version) = found.ok_or_else(|| corrupt("a claim without its user"))?;
        let mut response = etag::tagged(v1::CreateUserResponse { user: Some(user) }, version);
        response.metadata_mut().insert("idempotent-replayed", MetadataValue::from_static("true"));
        Ok(response)
    }

    /// A user as it is now, and its version.
    pub(super) async fn find(&self, client_id: Uuid, id: Uuid) -> Result<Option<(v1::User, i64)>, Status> {
        note_user(id);
        let Some(mut row) = self.store.find_user(client_id, id).await.map_err(of_store)? else { return Ok(None) };
        let (_, profile) = open_profile(&self.vault, &mut row)?;
        let status = row.status.parse().map_err(|_| corrupt("a stored status"))?;
        let record = record(&row, status)?;
        Ok(Some((to_user(&record, profile, &self.catalogue, self.numbers), row.version)))
    }

    /// Seals the files and stores them, before the row that makes them visible.
    pub(super) async fn upload(
        &self,
        data_key: &DataKey,
        files: Vec<PlannedDocument>,
    ) -> Result<Vec<NewDocument>, Status> {
        let uploads = files.into_iter().map(|PlannedDocument { id, content, .. }| async move {
            let object_key = self.documents.object_key(self.ambient.now(), id);
            let sealing = data_key.clone();
            let size = content.len();
            let sealed = off_thread(size, move || sealing.seal(&Place::DocumentContent(id), owned(content))).await?;
            self.documents.put(&object_key, sealed).await.map_err(of_documents)?;
            Ok::<_, Status>(NewDocument { id, object_key })
        });
        stream::iter(uploads).buffered(UPLOADS).try_collect().await
    }
}

/// The bytes of a file in a buffer that can be sealed in place; a copy only where others share it.
fn owned(content: Bytes) -> Vec<u8> {
    let mut content = Vec::from(content);
    content.reserve_exact(SEAL_OVERHEAD);
    content
}

/// The kind of user, as the database names it.
pub(super) fn kind(profile: &profile::Profile) -> &'static str {
    match profile {
        profile::Profile::Individual(_) => v1::UserType::Individual.json_name(),
        profile::Profile::Business(_) => v1::UserType::Business.json_name(),
    }
}

/// Opens a stored user's key and, taking it out of the row, its profile.
pub(super) fn open_profile(vault: &Vault, row: &mut UserRecord) -> Result<(DataKey, profile::Profile), Status> {
    let owner = Owner { client_id: row.client_id, user_id: row.id };
    let data_key = vault.open_data_key(owner, &row.wrapped_key).map_err(of_vault)?;
    let sealed = std::mem::take(&mut row.profile);
    let plaintext = zeroize::Zeroizing::new(data_key.open(&Place::UserProfile, sealed).map_err(of_vault)?);
    let profile = profile::decode(&plaintext).map_err(|_| corrupt("a stored profile"))?;
    Ok((data_key, profile))
}

/// What responses show of a row, at this status. Reasons explain REJECTED and REVIEW (decisions, section 4); what a
/// reviewer said of an approval stands in the history of the verification.
pub(super) fn record(row: &UserRecord, status: UserStatus) -> Result<Record, Status> {
    let explained = status.as_str() == row.status && matches!(status, UserStatus::Rejected | UserStatus::Review);
    let reasons = match &row.status_reasons {
        Some(reasons) if explained => serde_json::from_value(reasons.clone()),
        _ => Ok(Vec::new()),
    };
    Ok(Record {
        id: row.id,
        status,
        reasons: reasons.map_err(|_| corrupt("the stored reasons of a status"))?,
        verification_triggered: row.verification_triggered,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// A new attempt, to be taken up at once.
pub(super) fn new_verification(ambient: &dyn Ambient, trigger: Trigger, deadline: TimeDelta) -> NewVerification {
    let now = ambient.now();
    NewVerification {
        attempt_id: ambient.new_id(),
        trigger: trigger.as_str(),
        state: AttemptState::Pending.as_str(),
        deadline_at: now + deadline,
        job_id: ambient.new_id(),
        run_at: now,
        trace_context: telemetry::trace_context(),
    }
}

/// The client has no such user.
pub(super) fn user_not_found(id: Uuid) -> Status {
    error::status(ErrorReason::NotFound, format!("User with ID {id} not found"))
}

/// How much a request brings.
#[derive(Default)]
struct Size {
    documents: usize,
    /// Of all files together.
    bytes: usize,
}

impl Size {
    fn add(&mut self, document: &v1::Document) {
        self.documents += 1;
        self.bytes += document.file.as_ref().map_or(0, |file| file.content.len());
    }
}

/// The bytes of all files of a request together.
///
/// # Errors
/// INVALID_ARGUMENT where it has more documents than a request may.
pub(super) fn weigh(user: &v1::create_user_request::User) -> Result<usize, Status> {
    let mut size = Size::default();
    each_document(user, &mut |document| size.add(document));
    if size.documents > MAX_DOCUMENTS {
        let message = format!("A request must contain at most {MAX_DOCUMENTS} documents");
        return Err(error::invalid("too_big", message));
    }
    Ok(size.bytes)
}

/// Shows every document of a request to `see`.
fn each_document(user: &v1::create_user_request::User, see: &mut dyn FnMut(&v1::Document)) {
    use v1::create_user_request::User;
    let (persons, entries, documents) = match user {
        User::Individual(user) => (&[][..], &user.identifying_information, &user.documents),
        User::Business(user) => (&user.associated_persons[..], &user.identifying_information, &user.documents),
    };
    let of_persons = persons.iter().flat_map(|person| &person.identifying_information);
    of_persons.chain(entries).flat_map(|entry| &entry.documents).chain(documents).for_each(see);
}
