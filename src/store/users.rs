//! Users: created as one atomic set of rows, read as one row.

use chrono::{DateTime, Utc};
use entity::{document, event, idempotency_key, job, user, verification_attempt};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use tracing::instrument;
use uuid::Uuid;

use super::{Batch, Store, StoreError, WriteError};
use crate::telemetry;

/// The job that verifies a user.
pub(super) const VERIFICATION: &str = "verification";
/// The state of a job that is not done; one that is done is deleted.
pub(super) const QUEUED: &str = "queued";
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
    /// Where the user stands in its life.
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
    /// What receivers are told.
    pub event: NewEvent,
}

/// A document of a new user.
#[derive(Clone, Debug)]
pub struct NewDocument {
    /// Identifier.
    pub id: Uuid,
    /// Where the sealed content lies in the document store.
    pub object_key: String,
}

/// The claim of a create on its idempotency key.
#[derive(Clone, Debug)]
pub struct NewClaim {
    /// The operation the key is used for.
    pub operation: &'static str,
    /// The key.
    pub key: Uuid,
    /// Keyed digest of the request.
    pub fingerprint: [u8; 32],
}

/// A verification attempt with the job that carries it out.
#[derive(Clone, Debug)]
pub struct NewVerification {
    /// Identifier of the attempt.
    pub attempt_id: Uuid,
    /// What starts it.
    pub trigger: &'static str,
    /// Where it stands at first.
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

/// What happened, for the outbox.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Identifier.
    pub id: Uuid,
    /// What happened.
    pub kind: &'static str,
    /// What receivers are told; nothing personal.
    pub payload: serde_json::Value,
}

/// Where an idempotency key is unique.
#[derive(Clone, Copy, Debug)]
pub struct ClaimScope {
    /// The client whose key it is.
    pub client_id: Uuid,
    /// The operation it is used for.
    pub operation: &'static str,
    /// The key.
    pub key: Uuid,
}

/// What an idempotency key was used for before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Keyed digest of the request that claimed the key.
    pub fingerprint: [u8; 32],
    /// The user it made, or was used for.
    pub user_id: Uuid,
    /// What it made of the user's: a verification attempt; None: the user itself.
    pub resource_id: Option<Uuid>,
}

impl Claim {
    pub(super) fn read(row: idempotency_key::Model) -> Result<Self, StoreError> {
        let fingerprint = row.fingerprint.try_into().map_err(|_| StoreError::corrupt("a request's fingerprint"))?;
        Ok(Self { fingerprint, user_id: row.user_id, resource_id: row.resource_id })
    }
}

/// How a create ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The user is there now, durably.
    Inserted,
    /// The key was used before, or by a request that ran beside this one and won; nothing was written.
    Claimed(Claim),
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
    /// Where the user stands in its life.
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
    pub async fn find_claim(&self, scope: &ClaimScope) -> Result<Option<Claim>, StoreError> {
        let key = (scope.client_id, scope.operation.to_owned(), scope.key);
        let Some(row) = idempotency_key::Entity::find_by_id(key).one(&self.read()).await? else { return Ok(None) };
        Claim::read(row).map(Some)
    }

    /// Writes a user with its claim, documents, job and event, all or nothing, in one round trip. Of several requests
    /// with one key one inserts; the others wait for its commit and get its claim.
    ///
    /// # Errors
    /// `Unavailable` without the database; then the outcome may be unknown, and a retry with the same key finds it out.
    /// `Internal` for an unknown client or an identifier that exists.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn create_user(&self, new: NewUser) -> Result<Creation, StoreError> {
        let scope = ClaimScope { client_id: new.client_id, operation: new.claim.operation, key: new.claim.key };
        match self.write_batch(rows_of(new)).await {
            Ok(()) => {
                self.events_are_written();
                Ok(Creation::Inserted)
            }
            Err(WriteError::Failed(error)) => Err(error),
            // The winner has committed: its claim can be read. Without one it was not the key that met a row.
            Err(WriteError::Conflict(error)) => match self.find_claim(&scope).await? {
                Some(claim) => Ok(Creation::Claimed(claim)),
                None => Err(error),
            },
        }
    }

    /// A user of this client, in one query.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_user(&self, client_id: Uuid, user_id: Uuid) -> Result<Option<UserRecord>, StoreError> {
        let user = user::Entity::find_by_id(user_id).filter(user::Column::ClientId.eq(client_id));
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
        let document = document::Entity::find_by_id(document_id)
            .filter(document::Column::ClientId.eq(client_id))
            .filter(document::Column::UserId.eq(user_id));
        Ok(document.one(&self.read()).await?.map(|row| row.object_key))
    }
}

fn rows_of(new: NewUser) -> Batch {
    let NewUser { id: user_id, client_id, created_at, .. } = new;
    let user = user::ActiveModel {
        id: Set(user_id),
        client_id: Set(client_id),
        kind: Set(new.kind.to_owned()),
        category: Set(new.category.map(str::to_owned)),
        status: Set(new.status.to_owned()),
        attempt_id: Set(new.verification.as_ref().map(|verification| verification.attempt_id)),
        status_reasons: Set(None),
        verification_triggered: Set(new.verification.is_some()),
        missing: Set(new.missing),
        wrapped_key: Set(new.wrapped_key),
        profile: Set(new.profile),
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
    let event = new.event.into_row(client_id, user_id, FIRST_VERSION, created_at);
    let claim = idempotency_key::ActiveModel {
        client_id: Set(client_id),
        operation: Set(new.claim.operation.to_owned()),
        key: Set(new.claim.key),
        fingerprint: Set(new.claim.fingerprint.to_vec()),
        user_id: Set(user_id),
        resource_id: Set(None),
        created_at: Set(created_at),
    };
    Batch::default().insert([user]).insert(documents).insert(attempt).insert(job).insert([event]).insert([claim])
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
            reference: Set(None),
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
            attempt_id: Set(Some(self.attempt_id)),
            state: Set(QUEUED.to_owned()),
            run_at: Set(self.run_at),
            attempts: Set(0),
            lease_token: Set(None),
            lease_until: Set(None),
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
    ) -> event::ActiveModel {
        event::ActiveModel {
            id: Set(self.id),
            client_id: Set(client_id),
            user_id: Set(user_id),
            kind: Set(self.kind.to_owned()),
            sequence: Set(sequence),
            payload: Set(self.payload),
            created_at: Set(now),
            relayed_at: Set(None),
            position: Set(None),
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
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
