//! Changes of a stored user: all rows of a change or none, and only onto the version that it is based on.

use chrono::{DateTime, Utc};
use entity::{document, idempotency_key, job, object_to_delete, outbox, user, user_history, verification_attempt};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::history::NewEntry;
use super::user_counts::CountChange;
use super::user_index::{INDEX_VERSION, IndexChange, change_entries};
use super::{
    Engine, IdempotencyScope, NewClaim, NewDocument, NewEvent, NewVerification, Store, StoreError, Transaction,
    UserRecord, in_transaction,
};
use crate::domain::history::{Action, Actor};
use crate::domain::status::Status;
use crate::domain::user_type::UserType;

/// How many values one query names; both engines allow many more.
const AT_ONCE: usize = 500;

/// Everything that a change of a user writes.
#[derive(Clone, Debug)]
pub struct UserUpdate {
    /// Category derived from the address.
    pub category: Option<&'static str>,
    /// What is still missing: field names, never values.
    pub missing: serde_json::Value,
    /// The profile, sealed.
    pub profile: Vec<u8>,
    /// The time of the change.
    pub updated_at: DateTime<Utc>,
    /// New documents, whose content is in the document store already.
    pub documents: Vec<NewDocument>,
    /// The documents to remove.
    pub removed: Vec<Uuid>,
    /// The change of the user's verification, if any.
    pub verification: Option<VerificationChange>,
    /// The events, in order; at least one.
    pub events: Vec<NewEvent>,
    /// The request names of what changes, for the history; elements by their ids.
    pub fields: Vec<String>,
    /// The idempotency key of the request, where it has one.
    pub claim: Option<NewClaim>,
    /// What becomes of the user's entries in the index.
    pub index: IndexChange,
}

/// What a change does to a user's verification: it ends the current attempt, and may start another.
#[derive(Clone, Debug)]
pub struct VerificationChange {
    /// The status from now on.
    pub status: &'static str,
    /// The state of the current attempt, if it had no outcome.
    pub abandoned: &'static str,
    /// The states of attempts that have their outcome, which they keep.
    pub finished: &'static [&'static str],
    /// The attempt that starts.
    pub started: Option<NewVerification>,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is written, durably.
    Written {
        /// The new version of the user.
        version: i64,
        /// The objects of the removed documents, recorded as to be deleted.
        objects: Vec<String>,
    },
    /// The user has changed since `read`, or the request's key was used before; nothing was written.
    Conflict,
    /// This other user has the new external id; nothing was written.
    ExternalIdTaken(Uuid),
}

impl Store {
    /// Writes a change that is based on `read`, if the user has not changed since. The version rises with every event that
    /// the change writes.
    ///
    /// # Errors
    /// `Unavailable` without the database; then the outcome may be unknown.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn update_user(&self, read: &UserRecord, update: UserUpdate) -> Result<Update, StoreError> {
        let scope = update.claim.as_ref().map(|claim| claim.scope(read.client_id));
        let (engine, external_id) = (self.engine(), update.index.unique_external_id);
        let updated: Result<_, StoreError> =
            in_transaction!(self, |transaction| update_in(engine, transaction, read, update.clone()).await);
        let updated = match updated {
            Ok(updated) => updated,
            Err(error) => self.conflict(read, scope, external_id).await?.ok_or(error)?,
        };
        if matches!(updated, Update::Written { .. }) {
            self.events_are_written();
        }
        Ok(updated)
    }

    /// What a change that failed has met, if that is why: another request has used the key meanwhile, perhaps for another
    /// user, or another user has the external id.
    async fn conflict(
        &self,
        read: &UserRecord,
        scope: Option<IdempotencyScope>,
        external_id: Option<Uuid>,
    ) -> Result<Option<Update>, StoreError> {
        if let Some(scope) = scope
            && self.find_claim(&scope).await?.is_some()
        {
            return Ok(Some(Update::Conflict));
        }
        let Some(digest) = external_id else { return Ok(None) };
        let owner = self.owner_of_external_id(read.client_id, digest).await?;
        // The user's own: the change may have been written, and something else has failed.
        Ok(owner.filter(|owner| *owner != read.id).map(Update::ExternalIdTaken))
    }
}

async fn update_in(
    engine: Engine,
    transaction: &Transaction,
    read: &UserRecord,
    update: UserUpdate,
) -> Result<Update, StoreError> {
    let first_sequence = read.version + 1;
    let version = update.events.iter().fold(read.version, |version, _| version + 1);
    let mut row = user::ActiveModel {
        category: Set(update.category.map(str::to_owned)),
        missing: Set(update.missing),
        profile: Set(update.profile),
        index_version: Set(INDEX_VERSION),
        version: Set(version),
        updated_at: Set(update.updated_at),
        ..user::ActiveModel::default()
    };
    if let Some(change) = &update.verification {
        row.status = Set(change.status.to_owned());
        row.attempt_id = Set(change.started.as_ref().map(|started| started.attempt_id));
        row.status_reasons = Set(None);
        row.verification_triggered = Set(read.verification_triggered || change.started.is_some());
    }
    let status = update.verification.as_ref().map_or_else(|| read.status.clone(), |change| change.status.to_owned());
    let attempt = match read.attempt_id {
        Some(id) => user::Column::AttemptId.eq(id),
        None => user::Column::AttemptId.is_null(),
    };
    let written = user::Entity::update_many()
        .set(row)
        .filter(user::Column::Id.eq(read.id))
        .filter(user::Column::ClientId.eq(read.client_id))
        .filter(user::Column::Version.eq(read.version))
        // A rebuild of the index changes no more than this.
        .filter(user::Column::IndexVersion.eq(read.index_version))
        .filter(user::Column::Status.eq(&*read.status))
        .filter(attempt)
        .exec(transaction)
        .await?;
    if written.rows_affected == 0 {
        return Ok(Update::Conflict);
    }
    if let Some(claim) = update.claim {
        let row = claim.into_row(read.client_id, read.id, None, update.updated_at);
        idempotency_key::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    let started = update.verification.as_ref().and_then(|change| change.started.as_ref());
    let entry = NewEntry {
        what: (Action::Updated, Actor::Client),
        version,
        fields: update.fields,
        status: (read.status.clone(), status),
        attempt_id: started.map(|started| started.attempt_id),
    };
    let entry = entry.into_row(read.client_id, read.id, update.updated_at);
    user_history::Entity::insert(entry).exec_without_returning(transaction).await?;
    change_entries(engine, transaction, (read.client_id, read.id), &update.index).await?;
    if let (Some(change), Some(event)) = (&update.verification, update.events.first()) {
        count_status(transaction, read, change.status, event.id).await?;
    }
    let objects = remove_documents(transaction, read, &update.removed, update.updated_at).await?;
    insert_documents(transaction, read, update.documents, update.updated_at).await?;
    if let Some(change) = update.verification {
        change_verification(transaction, read, change, update.updated_at).await?;
    }
    let row = |(new, sequence): (NewEvent, i64)| new.into_row(read.client_id, read.id, sequence, update.updated_at);
    let events = update.events.into_iter().zip(first_sequence..).map(row);
    outbox::Entity::insert_many(events).exec_without_returning(transaction).await?;
    Ok(Update::Written { version, objects })
}

/// Counts the user under its new status.
async fn count_status(
    transaction: &Transaction,
    read: &UserRecord,
    status: &'static str,
    id: Uuid,
) -> Result<(), StoreError> {
    let kind: UserType = read.kind.parse().map_err(|_| StoreError::corrupt("a user's kind"))?;
    let before: Status = read.status.parse().map_err(|_| StoreError::corrupt("a user's status"))?;
    let change = CountChange::of((read.client_id, read.id), kind.into_str(), Some(before.into_str()), status);
    change.write(transaction, id).await
}

/// Deletes the rows of documents; records and returns the keys of their content.
async fn remove_documents(
    transaction: &Transaction,
    read: &UserRecord,
    removed: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut objects = Vec::new();
    for ids in removed.chunks(AT_ONCE) {
        let of_user = document::Column::ClientId
            .eq(read.client_id)
            .and(document::Column::UserId.eq(read.id))
            .and(document::Column::Id.is_in(ids.iter().copied()));
        let keys = document::Entity::find()
            .select_only()
            .column(document::Column::ObjectKey)
            .filter(of_user.clone())
            .into_tuple::<String>();
        let keys = keys.all(transaction).await?;
        if keys.is_empty() {
            continue;
        }
        let objects_to_delete = keys
            .iter()
            .map(|key| object_to_delete::ActiveModel { object_key: Set(key.clone()), requested_at: Set(now) });
        object_to_delete::Entity::insert_many(objects_to_delete).exec_without_returning(transaction).await?;
        objects.extend(keys);
        document::Entity::delete_many().filter(of_user).exec(transaction).await?;
    }
    Ok(objects)
}

async fn insert_documents(
    transaction: &Transaction,
    read: &UserRecord,
    documents: Vec<NewDocument>,
    created_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    if documents.is_empty() {
        return Ok(());
    }
    let rows = documents.into_iter().map(|new| document::ActiveModel {
        id: Set(new.id),
        client_id: Set(read.client_id),
        user_id: Set(read.id),
        object_key: Set(new.object_key),
        created_at: Set(created_at),
    });
    document::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(())
}

/// Ends the current attempt without an outcome, and starts another. The job of the first stays, since workers lock jobs
/// before users: the next claim removes it.
async fn change_verification(
    transaction: &Transaction,
    read: &UserRecord,
    change: VerificationChange,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if let Some(attempt_id) = read.attempt_id {
        let ended = verification_attempt::ActiveModel {
            state: Set(change.abandoned.to_owned()),
            finished_at: Set(Some(now)),
            ..verification_attempt::ActiveModel::default()
        };
        verification_attempt::Entity::update_many()
            .set(ended)
            .filter(verification_attempt::Column::ClientId.eq(read.client_id))
            .filter(verification_attempt::Column::Id.eq(attempt_id))
            .filter(verification_attempt::Column::State.is_not_in(change.finished.iter().copied()))
            .exec(transaction)
            .await?;
    }
    if let Some(started) = change.started {
        let (attempt, job) = started.into_rows(read.client_id, read.id, now);
        verification_attempt::Entity::insert(attempt).exec_without_returning(transaction).await?;
        job::Entity::insert(job).exec_without_returning(transaction).await?;
    }
    Ok(())
}
