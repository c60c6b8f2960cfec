//! The users service, for both protocols.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt, stream};
use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use kira_gateway::off_thread;
use serde_json::json;
use tokio::sync::Notify;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert::{Numbers, Record, record_of_individual, to_user};
use super::etag;
use super::failure::{corrupt, of_documents, of_store, of_vault};
use super::idempotency;
use super::lookup::{self, external_id_taken, with_warning};
use super::request::{caller, checked_id, note_user, replayed};
use super::turns::Turns;
use crate::contract::v1;
use crate::contract::v1::create_user_request::User as Create;
use crate::contract::v1::users_service_server::UsersService;
use crate::domain::eligibility::Catalogue;
use crate::domain::event::{EventKind, EventPayload};
use crate::domain::requirements::{Report, report};
use crate::domain::status::Status as UserStatus;
use crate::domain::user_type::UserType;
use crate::domain::verification::{AttemptState, Trigger};
use crate::env::{Env, SharedEnv};
use crate::profile::lookup::external_id;
use crate::profile::subject::subject;
use crate::profile::{self, CanonicalRequest, FileToSeal, NewProfile, Profile};
use crate::store::{
    Creation, FIRST_VERSION, IdempotencyRecord, IdempotencyScope, NewClaim, NewDocument, NewEntries, NewEvent, NewUser,
    NewVerification, Store, UserRecord,
};
use crate::telemetry;
use crate::vault::documents::DocumentStore;
use crate::vault::{AeadContext, BlindIndex, DataKey, FileWriter, KeyedHash, Owner, SEAL_OVERHEAD, Vault};

/// The operation that idempotency keys of creates are scoped to (decisions, section 7).
pub(super) const CREATE_USER: &str = "create_user";
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
    pub env: SharedEnv,
    /// The keyed hash of idempotency fingerprints.
    pub fingerprints: KeyedHash,
    /// The products on offer.
    pub catalogue: Catalogue,
    /// Whether responses mask sensitive numbers.
    pub numbers: Numbers,
    /// How long an attempt may take before it goes to review.
    pub verification_deadline: TimeDelta,
    /// Notified when a verification is requested.
    pub verification_wanted: Arc<Notify>,
    /// Serializes the changes of each user.
    pub turns: Turns,
    /// The digests by which users are found.
    pub index: BlindIndex,
    /// Whether an external id is that of one user of a client alone.
    pub unique_external_ids: bool,
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
        let Created { user, version, is_replayed, same_external_id } = self.create_once(client_id, key, user).await?;
        let response = v1::CreateUserResponse { user: Some(user), warnings: Vec::new() };
        let response = with_warning(etag::tagged(response, version), same_external_id);
        Ok(if is_replayed { replayed(response) } else { response })
    }

    async fn batch_create_users(
        &self,
        request: Request<v1::BatchCreateUsersRequest>,
    ) -> Result<Response<v1::BatchCreateUsersResponse>, Status> {
        self.create_batch(request).await
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        self.list(request).await
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

/// The answer to a create.
pub(super) struct Created {
    /// The user as it is now.
    pub(super) user: v1::User,
    /// Its version.
    pub(super) version: i64,
    /// Whether an earlier request created it.
    pub(super) is_replayed: bool,
    /// Another user that has the same external id.
    pub(super) same_external_id: Option<Uuid>,
}

impl Users {
    /// Creates the user that `key` names, unless an earlier request has done so.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` where that one was another request, or what the database and the document store report.
    pub(super) async fn create_once(&self, client_id: Uuid, key: Uuid, user: Create) -> Result<Created, Status> {
        let scope = IdempotencyScope { client_id, operation: CREATE_USER, key };
        let size = total_document_bytes(&user)?;
        let draft = off_thread(size, move || CanonicalRequest::new(user)).await?;
        let fingerprint = draft.fingerprint(|canonical| self.fingerprints.digest(canonical));
        let external_id = external_id(draft.profile()).map(str::to_owned);
        let external_id = external_id.as_deref();
        // Before the claim: a user that this very request has made by now has a claim too.
        let owner = self.owner_of_external_id(client_id, None, external_id).await?;
        // A repeated request must not upload its files again, nor meet its own external id; else the create itself finds the
        // claim.
        if (size > 0 || owner.is_some())
            && let Some(claim) = self.store.find_claim(&scope).await.map_err(of_store)?
        {
            return self.replay(&scope, claim, fingerprint).await;
        }
        if let Some(owner) = owner {
            return Err(external_id_taken(owner));
        }
        let report = report(&subject(draft.profile()), self.catalogue.codes());
        // At the same time, so that the answer does not wait for it.
        let (created, others) = tokio::join!(
            self.create(scope, fingerprint, draft.plan(self.env.as_ref()), &report),
            self.users_with_external_id(client_id, external_id),
        );
        match created? {
            Ok((id, user)) => {
                let same_external_id = self.warned_of((client_id, id), others, external_id).await;
                Ok(Created { user, version: FIRST_VERSION, is_replayed: false, same_external_id })
            }
            Err(claim) => self.replay(&scope, claim, fingerprint).await,
        }
    }

    /// Seals and stores a new user with its files, or returns the record of an earlier request with the key.
    async fn create(
        &self,
        scope: IdempotencyScope,
        fingerprint: [u8; 32],
        planned: NewProfile,
        report: &Report,
    ) -> Result<Result<(Uuid, v1::User), IdempotencyRecord>, Status> {
        let now = self.env.now();
        let id = self.env.new_id_at(now);
        let owner = Owner { client_id: scope.client_id, user_id: id };
        let (data_key, wrapped_key) = self.vault.new_data_key(owner);
        let NewProfile { profile, documents } = planned;
        let documents = self.upload(&data_key, documents).await?;
        let triggers = report.triggers_verification();
        let status = UserStatus::Created;
        let user_type = user_type(&profile);
        let reasons = Vec::new();
        let fields = profile::given_names(&profile);
        let record = Record { id, status, reasons, verification_triggered: triggers, created_at: now, updated_at: now };
        let plaintext = profile::encode(&profile, SEAL_OVERHEAD);
        let new = NewUser {
            id,
            client_id: scope.client_id,
            kind: user_type.into_str(),
            category: Some(subject(&profile).residence.category().into_str()),
            status: status.into_str(),
            verification: triggers.then(|| self.new_verification(Trigger::Create)),
            missing: report.missing().map(|(target, fields)| (target.to_owned(), json!(fields))).collect(),
            wrapped_key,
            profile: data_key.seal(&AeadContext::UserProfile, plaintext),
            created_at: now,
            documents,
            claim: NewClaim {
                operation: scope.operation,
                key: scope.key,
                fingerprint: idempotency::fingerprint(&self.fingerprints, &scope, fingerprint, id, None),
                outcome: None,
            },
            event: NewEvent {
                id: self.env.new_id(),
                kind: EventKind::UserCreated,
                payload: EventPayload::new(user_type, status),
            },
            fields,
            index: NewEntries {
                digests: lookup::digests(&self.index, scope.client_id, &profile).into_iter().collect(),
                unique_external_id: self.unique_external_id(scope.client_id, external_id(&profile)),
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
                Ok(Ok((id, to_user(&record, profile, &self.catalogue, self.numbers))))
            }
            Creation::Claimed(claim) => {
                self.delete_unused(objects).await;
                Ok(Err(claim))
            }
            Creation::ExternalIdTaken(owner) => {
                self.delete_unused(objects).await;
                Err(external_id_taken(owner))
            }
        }
    }

    /// Deletes the files of a request that created nothing.
    async fn delete_unused(&self, objects: Vec<String>) {
        if let Err(error) = self.documents.delete_all(objects).await {
            tracing::warn!(%error, "files of a repeated request wait for the sweep");
        }
    }

    /// The other user that a create is warned of: it has the same external id. Who cannot be found is not warned of, since the
    /// user exists.
    async fn warned_of(
        &self,
        (client_id, id): (Uuid, Uuid),
        others: Result<Vec<Uuid>, Status>,
        external_id: Option<&str>,
    ) -> Option<Uuid> {
        let found = match others {
            Ok(others) => self.first_with_external_id((client_id, Some(id)), others, external_id).await,
            Err(error) => Err(error),
        };
        found.unwrap_or_else(|error| {
            tracing::warn!(code = ?error.code(), "whether an external id is used was not found out");
            None
        })
    }

    /// An attempt that a worker may claim at once.
    pub(super) fn new_verification(&self, trigger: Trigger) -> NewVerification {
        new_verification(self.env.as_ref(), trigger, self.verification_deadline)
    }

    /// Answers a repeated request: the user as it is now (decisions, section 7).
    async fn replay(
        &self,
        scope: &IdempotencyScope,
        claim: IdempotencyRecord,
        fingerprint: [u8; 32],
    ) -> Result<Created, Status> {
        if idempotency::request_of(&self.fingerprints, scope, &claim)? != fingerprint {
            return Err(error::with_reason(ErrorReason::IdempotencyKeyReused));
        }
        let (client_id, user_id) = (scope.client_id, claim.user_id);
        let Some((user, version)) = self.find(client_id, user_id).await? else {
            let erased = self.store.find_erased_user(client_id, user_id).await.map_err(of_store)?;
            erased.ok_or_else(|| corrupt("a claim without its user"))?;
            return Err(error::with_reason(ErrorReason::UserErased));
        };
        Ok(Created { user, version, is_replayed: true, same_external_id: None })
    }

    /// A user as it is now, and its version.
    pub(super) async fn find(&self, client_id: Uuid, id: Uuid) -> Result<Option<(v1::User, i64)>, Status> {
        Ok(self.open(client_id, id).await?.map(|(record, profile, version)| {
            let user = to_user(&record, profile, &self.catalogue, self.numbers);
            (user, version)
        }))
    }

    /// A user as it is now with all that is stored of it, for reviewers, and its version.
    pub(super) async fn find_whole(&self, client_id: Uuid, id: Uuid) -> Result<Option<(v1::User, i64)>, Status> {
        Ok(self.open(client_id, id).await?.map(|(record, profile, version)| {
            let whole = record_of_individual(&profile, self.numbers, true);
            let user = to_user(&record, profile, &self.catalogue, self.numbers);
            (v1::User { record: whole, ..user }, version)
        }))
    }

    /// What is stored of a user, opened, and its version.
    pub(super) async fn open(&self, client_id: Uuid, id: Uuid) -> Result<Option<(Record, Profile, i64)>, Status> {
        note_user(id);
        let Some(mut row) = self.store.find_user(client_id, id).await.map_err(of_store)? else { return Ok(None) };
        let (_, profile) = open_profile(&self.vault, &mut row)?;
        let status = row.status.parse().map_err(|_| corrupt("a stored status"))?;
        Ok(Some((record(&row, status)?, profile, row.version)))
    }

    /// Seals the files and stores them, before the row that makes them visible.
    pub(super) async fn upload(&self, data_key: &DataKey, files: Vec<FileToSeal>) -> Result<Vec<NewDocument>, Status> {
        let uploads = files.into_iter().map(|FileToSeal { id, uploaded_at, content, .. }| async move {
            let object_key = self.documents.object_key(self.env.now(), id);
            let place = AeadContext::DocumentContent { id, uploaded_at };
            let mut writer = FileWriter::begin(&self.documents, &object_key, data_key, &place);
            writer.write(&content).await.map_err(of_documents)?;
            drop(content);
            writer.finish().await.map_err(of_documents)?;
            Ok::<_, Status>(NewDocument { id, object_key })
        });
        stream::iter(uploads).buffered(UPLOADS).try_collect().await
    }
}

/// The type of the user.
pub(super) const fn user_type(profile: &profile::Profile) -> UserType {
    match profile {
        profile::Profile::Individual(_) => UserType::Individual,
        profile::Profile::Business(_) => UserType::Business,
    }
}

/// Opens a stored user's key and, taking it out of the row, its profile.
pub(super) fn open_profile(vault: &Vault, row: &mut UserRecord) -> Result<(DataKey, profile::Profile), Status> {
    let owner = Owner { client_id: row.client_id, user_id: row.id };
    let data_key = vault.open_data_key(owner, &row.wrapped_key).map_err(of_vault)?;
    let sealed = std::mem::take(&mut row.profile);
    let plaintext = zeroize::Zeroizing::new(data_key.open(&AeadContext::UserProfile, sealed).map_err(of_vault)?);
    let profile = profile::decode(&plaintext).map_err(|_| corrupt("a stored profile"))?;
    Ok((data_key, profile))
}

/// What responses show of a row, at this status. Reasons explain REJECTED and REVIEW (decisions, section 4); what a
/// reviewer said of an approval is in the history of the verification.
pub(super) fn record(row: &UserRecord, status: UserStatus) -> Result<Record, Status> {
    let explained = status.into_str() == row.status && matches!(status, UserStatus::Rejected | UserStatus::Review);
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

/// A new attempt that is due at once.
pub(super) fn new_verification(env: &dyn Env, trigger: Trigger, deadline: TimeDelta) -> NewVerification {
    let now = env.now();
    NewVerification {
        attempt_id: env.new_id(),
        trigger: trigger.into_str(),
        state: AttemptState::Pending.into_str(),
        deadline_at: now + deadline,
        job_id: env.new_id(),
        run_at: now,
        trace_context: telemetry::trace_context(),
    }
}

/// The client has no such user.
pub(super) fn user_not_found(id: Uuid) -> Status {
    error::status(ErrorReason::NotFound, format!("User with ID {id} not found"))
}

/// The bytes of all files of a request together.
///
/// # Errors
/// INVALID_ARGUMENT where it has more documents than a request may.
pub(super) fn total_document_bytes(user: &v1::create_user_request::User) -> Result<usize, Status> {
    use v1::create_user_request::User;
    let (mut documents, mut bytes) = (0, 0);
    let mut see = |element: v1::AnyElement<'_>| {
        if let v1::AnyElement::Document(document) = element {
            documents += 1;
            bytes += document.file.as_ref().map_or(0, |file| file.content.len());
        }
    };
    match user {
        User::Individual(user) => user.each_element(&mut see),
        User::Business(user) => user.each_element(&mut see),
    }
    if documents > MAX_DOCUMENTS {
        let message = format!("A request must contain at most {MAX_DOCUMENTS} documents");
        return Err(error::invalid("too_big", message));
    }
    Ok(bytes)
}
