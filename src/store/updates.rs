//! Changes of a stored user: all rows of a change, or none, and only onto the version that it was worked out from.

use chrono::{DateTime, Utc};
use entity::{discarded_object, document, event, job, user, verification_attempt};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::{NewDocument, NewEvent, NewVerification, Store, StoreError, UserRecord};

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
    /// The documents that are no longer the user's.
    pub removed: Vec<Uuid>,
    /// What becomes of the user's verification; None: nothing.
    pub verification: Option<VerificationChange>,
    /// What receivers are told, in order; at least that the user changed.
    pub events: Vec<NewEvent>,
}

/// What a change does to a user's verification: the attempt so far counts no more, and perhaps another begins.
#[derive(Clone, Debug)]
pub struct VerificationChange {
    /// The status from now on.
    pub status: &'static str,
    /// The state of the attempt so far, if it had no outcome.
    pub abandoned: &'static str,
    /// The states of attempts that have their outcome, which they keep.
    pub finished: &'static [&'static str],
    /// The attempt that begins.
    pub started: Option<NewVerification>,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is there, durably.
    Written {
        /// The user's version from now on.
        version: i64,
        /// The objects of the removed documents, noted as discarded.
        objects: Vec<String>,
    },
    /// The user has changed since `read`; nothing was written.
    Conflict,
}

impl Store {
    /// Writes a change that was worked out from `read`, if that is still how the user is. The version rises with every
    /// event that the change writes.
    ///
    /// # Errors
    /// `Unavailable` without the database; then the outcome may be unknown.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn update_user(&self, read: &UserRecord, update: UserUpdate) -> Result<Update, StoreError> {
        let transaction = self.begin().await?;
        let first_sequence = read.version + 1;
        let version = update.events.iter().fold(read.version, |version, _| version + 1);
        let mut row = user::ActiveModel {
            category: Set(update.category.map(str::to_owned)),
            missing: Set(update.missing),
            profile: Set(update.profile),
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
        let attempt = match read.attempt_id {
            Some(id) => user::Column::AttemptId.eq(id),
            None => user::Column::AttemptId.is_null(),
        };
        let written = user::Entity::update_many()
            .set(row)
            .filter(user::Column::Id.eq(read.id))
            .filter(user::Column::ClientId.eq(read.client_id))
            .filter(user::Column::Version.eq(read.version))
            .filter(user::Column::Status.eq(&*read.status))
            .filter(attempt)
            .exec(&transaction)
            .await?;
        if written.rows_affected == 0 {
            transaction.rollback().await?;
            return Ok(Update::Conflict);
        }
        let objects = remove_documents(&transaction, read, &update.removed, update.updated_at).await?;
        insert_documents(&transaction, read, update.documents, update.updated_at).await?;
        if let Some(change) = update.verification {
            change_verification(&transaction, read, change, update.updated_at).await?;
        }
        let row = |(new, sequence): (NewEvent, i64)| new.into_row(read.client_id, read.id, sequence, update.updated_at);
        let events = update.events.into_iter().zip(first_sequence..).map(row);
        event::Entity::insert_many(events).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        self.events_are_written();
        Ok(Update::Written { version, objects })
    }
}

/// Removes the rows of documents, and tells and notes where their content lies.
async fn remove_documents(
    transaction: &DatabaseTransaction,
    read: &UserRecord,
    removed: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut objects = Vec::new();
    for ids in removed.chunks(AT_ONCE) {
        let of_user = document::Column::UserId.eq(read.id).and(document::Column::Id.is_in(ids.iter().copied()));
        let keys = document::Entity::find()
            .select_only()
            .column(document::Column::ObjectKey)
            .filter(of_user.clone())
            .into_tuple::<String>();
        let keys = keys.all(transaction).await?;
        if keys.is_empty() {
            continue;
        }
        let discarded = keys
            .iter()
            .map(|key| discarded_object::ActiveModel { object_key: Set(key.clone()), discarded_at: Set(now) });
        discarded_object::Entity::insert_many(discarded).exec_without_returning(transaction).await?;
        objects.extend(keys);
        document::Entity::delete_many().filter(of_user).exec(transaction).await?;
    }
    Ok(objects)
}

async fn insert_documents(
    transaction: &DatabaseTransaction,
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

/// Ends the attempt so far without an outcome, and begins another. The job of the first is left alone, since workers lock
/// jobs before users: whoever claims it finds that there is nothing left to do.
async fn change_verification(
    transaction: &DatabaseTransaction,
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
