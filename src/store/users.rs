//! Users: created as one atomic set of rows, read as one row.

use chrono::{DateTime, Utc};
use entity::{document, idempotency_key, job, outbox, user, verification_attempt};
use ring::digest::{SHA256, digest};
use sea_orm::ActiveValue::NotSet;
use sea_orm::{EntityTrait, Set};
use tracing::instrument;
use uuid::Uuid;

use super::history::NewEntry;
use super::user_counts::CountChange;
use super::user_index::{INDEX_VERSION, NewEntries, insert_entries, unique_external_id};
use super::{Batch, Engine, Store, StoreError, WriteError};
use crate::domain::event::{EventKind, EventPayload};
use crate::domain::history::{Action, Actor};
use crate::telemetry;

/// The job that verifies a user.
pub(super) const VERIFICATION: &str = "verification";
/// The version of a user that has never been changed.
pub const FIRST_VERSION: i64 = 1;

/// Everything a create writes.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// Individual or business.
    pub kind: &'static str,
    /// Category derived from the address, where known.
    pub category: Option<&'static str>,
    /// The status of its life cycle.
    pub status: &'static str,
    /// The verification that the create starts, if it starts one.
    pub verification: Option<NewVerification>,
    /// What is still missing: field names, never values.
    pub missing: serde_json::Value,
    /// The user's data key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// The profile, sealed.
    pub profile: Vec<u8>,
    /// The time of the create.
    pub created_at: DateTime<Utc>,
    /// Documents whose content is in the document store already.
    pub documents: Vec<NewDocument>,
    /// The idempotency key of the request.
    pub claim: NewClaim,
    /// The event.
    pub event: NewEvent,
    /// The request names of what the create brings.
    pub fields: Vec<String>,
    /// What the index has of the user.
    pub index: NewEntries,
}

/// A document of a new user.
#[derive(Clone, Debug)]
pub struct NewDocument {
    /// Identifier.
    pub id: Uuid,
    /// Where the sealed content lies in the document store.
    pub object_key: String,
}

/// The bytes of a fingerprint: a keyed digest of the request, and one of the row.
pub const FINGERPRINT_BYTES: usize = 64;

/// The claim of a request on its idempotency key.
#[derive(Clone, Debug)]
pub struct NewClaim {
    /// The operation the key is used for.
    pub operation: &'static str,
    /// The key.
    pub key: Uuid,
    /// Binds the request and what it makes.
    pub fingerprint: [u8; FINGERPRINT_BYTES],
    /// What the request does, for the answer to a repetition; nothing personal.
    pub outcome: Option<serde_json::Value>,
}

impl NewClaim {
    pub(super) fn scope(&self, client_id: Uuid) -> IdempotencyScope {
        IdempotencyScope { client_id, operation: self.operation, key: self.key }
    }

    /// The claim of a client, about a user or something of the user's.
    pub(super) fn into_row(
        self,
        client_id: Uuid,
        user_id: Uuid,
        resource_id: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> idempotency_key::ActiveModel {
        idempotency_key::ActiveModel {
            client_id: Set(client_id),
            digest: Set(self.scope(client_id).digest()),
            fingerprint: Set(self.fingerprint.to_vec()),
            user_id: Set(user_id),
            resource_id: Set(resource_id),
            outcome: Set(self.outcome),
            created_at: Set(now),
        }
    }
}

/// A verification attempt with the job that carries it out.
#[derive(Clone, Debug)]
pub struct NewVerification {
    /// Identifier of the attempt.
    pub attempt_id: Uuid,
    /// What starts it.
    pub trigger: &'static str,
    /// Its first state.
    pub state: &'static str,
    /// When it becomes REVIEW without an outcome.
    pub deadline_at: DateTime<Utc>,
    /// Identifier of the job.
    pub job_id: Uuid,
    /// Not to be started before.
    pub run_at: DateTime<Utc>,
    /// The trace of the request, as a `traceparent`.
    pub trace_context: Option<String>,
}

/// An event, for the outbox.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Identifier.
    pub id: Uuid,
    /// What happened.
    pub kind: EventKind,
    /// The payload of its notifications.
    pub payload: EventPayload,
}

/// Where an idempotency key is unique.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyScope {
    /// The client whose key it is.
    pub client_id: Uuid,
    /// The operation it is used for.
    pub operation: &'static str,
    /// The key.
    pub key: Uuid,
}

impl IdempotencyScope {
    /// The digest of operation and key under which the client's row is stored.
    #[must_use]
    pub fn digest(&self) -> Uuid {
        // The key has a fixed length, so that no two scopes are the same bytes.
        let scope = [self.key.as_bytes(), self.operation.as_bytes()].concat();
        let mut short = [0; 16];
        short.copy_from_slice(&digest(&SHA256, &scope).as_ref()[..16]);
        uuid::Builder::from_custom_bytes(short).into_uuid()
    }
}

/// What an idempotency key was used for before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Binds the request that claimed the key, and what it made.
    pub fingerprint: [u8; FINGERPRINT_BYTES],
    /// The user it made, or was used for; the client, if it was used for none of its users.
    pub user_id: Uuid,
    /// What else it made or was used for: a verification attempt, a webhook endpoint, a delivery.
    pub resource_id: Option<Uuid>,
    /// What the request did.
    pub outcome: Option<serde_json::Value>,
}

impl IdempotencyRecord {
    pub(super) fn read(row: idempotency_key::Model) -> Result<Self, StoreError> {
        let fingerprint = row.fingerprint.try_into().map_err(|_| StoreError::corrupt("a request's fingerprint"))?;
        Ok(Self { fingerprint, user_id: row.user_id, resource_id: row.resource_id, outcome: row.outcome })
    }
}

/// How a create ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The user is stored, durably.
    Inserted,
    /// The key was used before, or by a concurrent request that was faster; nothing was written.
    Claimed(IdempotencyRecord),
    /// This other user has the external id; nothing was written.
    ExternalIdTaken(Uuid),
}

/// A user as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRecord {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// Individual or business.
    pub kind: String,
    /// Category derived from the address, where known.
    pub category: Option<String>,
    /// The status of its life cycle.
    pub status: String,
    /// The current verification attempt.
    pub attempt_id: Option<Uuid>,
    /// Why the status is what it is: a list of codes, messages and paths.
    pub status_reasons: Option<serde_json::Value>,
    /// Whether the create started a verification.
    pub verification_triggered: bool,
    /// What is still missing.
    pub missing: serde_json::Value,
    /// The user's data key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// The profile, sealed.
    pub profile: Vec<u8>,
    /// Which version of the index has the user's entries.
    pub index_version: i16,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Store {
    /// What a key was used for, read from the primary; None: it is free.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_claim(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError> {
        let key = (scope.client_id, scope.digest());
        let Some(row) = idempotency_key::Entity::find_by_id(key).one(&self.read()).await? else { return Ok(None) };
        IdempotencyRecord::read(row).map(Some)
    }

    /// Claims a key for a request that changed nothing; false where it was used before.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn claim_key(
        &self,
        client_id: Uuid,
        user_id: Uuid,
        claim: NewClaim,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let row = claim.into_row(client_id, user_id, None, now);
        match self.write_batch(Batch::default().insert([row])).await {
            Ok(()) => Ok(true),
            Err(WriteError::Conflict(_)) => Ok(false),
            Err(WriteError::Failed(error)) => Err(error),
        }
    }

    /// Writes a user with its claim, documents, job and event, all or nothing, in one round trip. Of several requests
    /// with one key one inserts; the others wait for its commit and get its claim.
    ///
    /// # Errors
    /// `Unavailable` without the database; then the outcome may be unknown, and a retry with the same key finds it out.
    /// `Internal` for an unknown client or an identifier that exists.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn create_user(&self, new: NewUser) -> Result<Creation, StoreError> {
        let scope = new.claim.scope(new.client_id);
        let unique_external_id = new.index.unique_external_id;
        match self.write_batch(rows_of(new, self.engine())).await {
            Ok(()) => {
                self.events_are_written();
                Ok(Creation::Inserted)
            }
            Err(WriteError::Failed(error)) => Err(error),
            // The winner has committed: its claim can be read. Without one it was not the key that met a row.
            Err(WriteError::Conflict(error)) => match (self.find_claim(&scope).await?, unique_external_id) {
                (Some(claim), _) => Ok(Creation::Claimed(claim)),
                (None, None) => Err(error),
                (None, Some(digest)) => {
                    let owner = self.owner_of_external_id(scope.client_id, digest).await?;
                    owner.map(Creation::ExternalIdTaken).ok_or_else(StoreError::external_id_released)
                }
            },
        }
    }

    /// A user of this client, in one query.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_user(&self, client_id: Uuid, user_id: Uuid) -> Result<Option<UserRecord>, StoreError> {
        let user = user::Entity::find_by_id((client_id, user_id));
        Ok(user.one(&self.read()).await?.map(UserRecord::from))
    }

    /// Where the sealed content of a user's document lies; None: there is no such document.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_object_key(
        &self,
        client_id: Uuid,
        user_id: Uuid,
        document_id: Uuid,
    ) -> Result<Option<String>, StoreError> {
        let document = document::Entity::find_by_id((client_id, user_id, document_id));
        Ok(document.one(&self.read()).await?.map(|row| row.object_key))
    }
}

fn rows_of(new: NewUser, engine: Engine) -> Batch {
    let NewUser { id: user_id, client_id, created_at, .. } = new;
    let attempt_id = new.verification.as_ref().map(|verification| verification.attempt_id);
    let user = user::ActiveModel {
        id: Set(user_id),
        client_id: Set(client_id),
        kind: Set(new.kind.to_owned()),
        category: Set(new.category.map(str::to_owned)),
        status: Set(new.status.to_owned()),
        attempt_id: Set(attempt_id),
        status_reasons: Set(None),
        verification_triggered: Set(new.verification.is_some()),
        missing: Set(new.missing),
        wrapped_key: Set(new.wrapped_key),
        profile: Set(new.profile),
        index_version: Set(INDEX_VERSION),
        version: Set(FIRST_VERSION),
        created_at: Set(created_at),
        updated_at: Set(created_at),
    };
    let documents = new.documents.into_iter().map(|document| document::ActiveModel {
        id: Set(document.id),
        client_id: Set(client_id),
        user_id: Set(user_id),
        object_key: Set(document.object_key),
        created_at: Set(created_at),
    });
    let verification = new.verification.map(|verification| verification.into_rows(client_id, user_id, created_at));
    let (attempt, job) = verification.unzip();
    let created = NewEntry {
        what: (Action::Created, Actor::Client),
        version: FIRST_VERSION,
        fields: new.fields,
        status: (new.status.to_owned(), new.status.to_owned()),
        attempt_id,
    };
    let created = created.into_row(client_id, user_id, created_at);
    let count = CountChange::of((client_id, user_id), new.kind, None, new.status).into_row(new.event.id, 1);
    let event = new.event.into_row(client_id, user_id, FIRST_VERSION, created_at);
    let claim = new.claim.into_row(client_id, user_id, None, created_at);
    let external_id = new.index.unique_external_id.map(|digest| unique_external_id(client_id, digest, user_id));
    Batch::default()
        .insert([user])
        .insert(documents)
        .insert(attempt)
        .insert(job)
        .insert([created])
        .insert([event])
        .statement(insert_entries(engine, client_id, user_id, &new.index.digests))
        .insert([count])
        .insert(external_id)
        .insert([claim])
}

impl NewVerification {
    /// The attempt and its job.
    pub(super) fn into_rows(
        self,
        client_id: Uuid,
        user_id: Uuid,
        created_at: DateTime<Utc>,
    ) -> (verification_attempt::ActiveModel, job::ActiveModel) {
        let attempt = verification_attempt::ActiveModel {
            id: Set(self.attempt_id),
            client_id: Set(client_id),
            user_id: Set(user_id),
            trigger: Set(self.trigger.to_owned()),
            state: Set(self.state.to_owned()),
            provider: Set(None),
            assurance: Set(None),
            reasons: Set(serde_json::json!([])),
            sealed_reference: Set(None),
            sealed_answer: Set(None),
            created_at: Set(created_at),
            started_at: Set(None),
            finished_at: Set(None),
            deadline_at: Set(self.deadline_at),
        };
        let job = job::ActiveModel {
            id: Set(self.job_id),
            kind: Set(VERIFICATION.to_owned()),
            client_id: Set(client_id),
            user_id: Set(user_id),
            attempt_id: Set(self.attempt_id),
            run_at: Set(self.run_at),
            attempts: Set(0),
            lease_token: Set(None),
            last_error: Set(None),
            trace_context: Set(self.trace_context),
            created_at: Set(created_at),
        };
        (attempt, job)
    }
}

impl NewEvent {
    /// The event of a user who has reached the version `sequence`.
    pub(super) fn into_row(
        self,
        client_id: Uuid,
        user_id: Uuid,
        sequence: i64,
        now: DateTime<Utc>,
    ) -> outbox::ActiveModel {
        outbox::ActiveModel {
            number: NotSet,
            id: Set(self.id),
            client_id: Set(client_id),
            user_id: Set(user_id),
            kind: Set(self.kind.into_str().to_owned()),
            sequence: Set(sequence),
            payload: Set(self.payload.to_json()),
            created_at: Set(now),
            trace_context: Set(telemetry::trace_context()),
        }
    }
}

impl From<user::Model> for UserRecord {
    fn from(row: user::Model) -> Self {
        Self {
            id: row.id,
            client_id: row.client_id,
            kind: row.kind,
            category: row.category,
            status: row.status,
            attempt_id: row.attempt_id,
            status_reasons: row.status_reasons,
            verification_triggered: row.verification_triggered,
            missing: row.missing,
            wrapped_key: row.wrapped_key,
            profile: row.profile,
            index_version: row.index_version,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
