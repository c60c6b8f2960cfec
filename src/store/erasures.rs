//! Erased users: the row of a user and all that refers to it goes, a row with the certificate stays.
//!
//! Deleting the wrapped data key makes unreadable what outlives the transaction: files until they are deleted, backups.

use chrono::{DateTime, Utc};
use entity::{
    document, erased_user, legal_hold, object_to_delete, outbox, review_step, user, user_count_change, user_history,
    user_index, verification_attempt,
};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, EntityTrait, ExprTrait as _, PaginatorTrait as _, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use serde::{Deserialize, Serialize};
use tracing::instrument;
use uuid::Uuid;

use super::claims::{Ended, once};
use super::user_counts::CountChange;
use super::user_index::{IndexChange, change_entries};
use super::{
    ClientClaim, Engine, NewEvent, Once, Store, StoreError, Transaction, UserRecord, first_id_at, in_transaction,
};
use crate::domain::status::Status;
use crate::domain::user_type::UserType;

/// How many values one query names; both engines allow many more.
const AT_ONCE: usize = 500;

/// What an erasure deletes and writes.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// What the index has of the user. None: its profile does not open, so that all entries of the client are searched.
    pub index: Option<IndexChange>,
    /// The event.
    pub event: NewEvent,
    /// When it happens.
    pub erased_at: DateTime<Utc>,
}

/// How many rows of each kind an erasure has deleted. The numbers are part of the certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Documents.
    pub documents: u64,
    /// Verification attempts.
    pub verifications: u64,
    /// Steps of reviewers.
    pub review_steps: u64,
    /// Entries of the history.
    pub history: u64,
}

/// A certificate of an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What was signed.
    pub statement: String,
    /// The signature, in base64.
    pub signature: String,
}

/// What is left of an erased user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedUser {
    /// The client that owned the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// When it was erased.
    pub erased_at: DateTime<Utc>,
    /// Its certificate.
    pub certificate: Certificate,
}

/// How an erasure ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// The user is erased, durably.
    Done {
        /// What is left of it.
        user: ErasedUser,
        /// The objects of its documents, recorded as to be deleted.
        objects: Vec<String>,
    },
    /// So many legal holds prevent it; nothing was written.
    Held(u64),
    /// The user has changed since `read`, or is erased by now; nothing was written.
    Conflict,
}

impl Store {
    /// Erases the user that `read` is the row of, if it has not changed since and no hold prevents it. `certify` makes the
    /// certificate of what was deleted.
    ///
    /// # Errors
    /// `Unavailable` without the database; then the outcome may be unknown.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn erase_user(
        &self,
        read: &UserRecord,
        erasure: Erasure,
        claim: Option<ClientClaim>,
        certify: &(dyn Fn(Deleted) -> Certificate + Sync),
    ) -> Result<Once<Erased>, StoreError> {
        let now = erasure.erased_at;
        let erased = once!(self, claim, now, |transaction| {
            erase_in(self.engine(), transaction, read, erasure.clone(), certify).await
        })?;
        if matches!(erased, Once::Done(Erased::Done { .. })) {
            self.events_are_written();
        }
        Ok(erased)
    }

    /// What is left of a user of this client that was erased.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_erased_user(&self, client_id: Uuid, user_id: Uuid) -> Result<Option<ErasedUser>, StoreError> {
        let row = erased_user::Entity::find_by_id((client_id, user_id)).one(&self.read()).await?;
        Ok(row.map(ErasedUser::from))
    }

    /// Records that a user which is not stored was erased: a database that was restored may be older than the user.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn record_erased_user(&self, erased: ErasedUser) -> Result<(), StoreError> {
        let recorded: Result<_, StoreError> = in_transaction!(self, |transaction| {
            let key = (erased.client_id, erased.user_id);
            if erased_user::Entity::find_by_id(key).one(transaction).await?.is_none() {
                let row = erased.clone().into_row();
                erased_user::Entity::insert(row).exec_without_returning(transaction).await?;
            }
            Ok(())
        });
        recorded
    }

    /// Up to `limit` users that were erased before `before` and not finished since, oldest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn unfinished_erasures(&self, before: DateTime<Utc>, limit: u64) -> Result<Vec<ErasedUser>, StoreError> {
        let rows = erased_user::Entity::find()
            .filter(erased_user::Column::FinishedAt.is_null())
            .filter(erased_user::Column::ErasedAt.lt(before))
            .order_by_asc(erased_user::Column::ErasedAt)
            .limit(limit);
        Ok(rows.all(&self.read()).await?.into_iter().map(ErasedUser::from).collect())
    }

    /// Records that nothing is left to do for an erasure.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn finish_erasure(&self, erased: &ErasedUser, now: DateTime<Utc>) -> Result<(), StoreError> {
        let row = erased_user::ActiveModel {
            client_id: Set(erased.client_id),
            user_id: Set(erased.user_id),
            finished_at: Set(Some(now)),
            ..Default::default()
        };
        let finished: Result<_, StoreError> = in_transaction!(self, |transaction| {
            row.clone().update(transaction).await?;
            Ok(())
        });
        finished
    }

    /// Up to `limit` users of a client that have this status, changed last before `before`, and come after the user
    /// `after`, oldest first. Ids tell when users were created, so that none is read that was created later.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn unchanged_users(
        &self,
        client_id: Uuid,
        (status, kind): (Status, UserType),
        before: DateTime<Utc>,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<UserRecord>, StoreError> {
        use user::Column::{ClientId, Id, Kind, Status as OfStatus, UpdatedAt};
        let rows = user::Entity::find()
            .filter(ClientId.eq(client_id))
            .filter(OfStatus.eq(status.into_str()))
            .filter(Kind.eq(kind.into_str()))
            .filter(Id.gt(after))
            .filter(Id.lt(first_id_at(before)))
            .filter(UpdatedAt.lt(before))
            .order_by_asc(Id)
            .limit(limit);
        Ok(rows.all(&self.read()).await?.into_iter().map(UserRecord::from).collect())
    }
}

async fn erase_in(
    engine: Engine,
    transaction: &Transaction,
    read: &UserRecord,
    erasure: Erasure,
    certify: &(dyn Fn(Deleted) -> Certificate + Sync),
) -> Result<Ended<Erased>, StoreError> {
    let (client_id, user_id) = (read.client_id, read.id);
    let row = user::Entity::find_by_id((client_id, user_id)).lock(LockType::Update).one(transaction).await?;
    // A rebuild of the index changes no more than its version.
    if row.is_none_or(|row| row.version != read.version || row.index_version != read.index_version) {
        return Ok(Ended::Unchanged(Erased::Conflict));
    }
    let holds = legal_hold::Entity::find()
        .filter(legal_hold::Column::ClientId.eq(client_id))
        .filter(legal_hold::Column::UserId.eq(user_id));
    let open = holds.filter(legal_hold::Column::ReleasedAt.is_null()).count(transaction).await?;
    if open > 0 {
        return Ok(Ended::Unchanged(Erased::Held(open)));
    }
    delete_index(engine, transaction, (client_id, user_id), erasure.index).await?;
    let (deleted, objects) = delete_rows(transaction, (client_id, user_id), erasure.erased_at).await?;
    count_erased(transaction, read, erasure.event.id).await?;
    let event = erasure.event.into_row(client_id, user_id, read.version + 1, erasure.erased_at);
    outbox::Entity::insert(event).exec_without_returning(transaction).await?;
    let user = ErasedUser { client_id, user_id, erased_at: erasure.erased_at, certificate: certify(deleted) };
    erased_user::Entity::insert(user.clone().into_row()).exec_without_returning(transaction).await?;
    Ok(Ended::Changed(Erased::Done { user, objects }))
}

async fn delete_index(
    engine: Engine,
    transaction: &Transaction,
    (client_id, user_id): (Uuid, Uuid),
    index: Option<IndexChange>,
) -> Result<(), StoreError> {
    use user_index::Column::{ClientId, UserId};
    if let Some(change) = index {
        return change_entries(engine, transaction, (client_id, user_id), &change).await;
    }
    let entries = Condition::all().add(ClientId.eq(client_id)).add(UserId.eq(user_id));
    user_index::Entity::delete_many().filter(entries).exec(transaction).await?;
    use entity::external_id::{Column, Entity};
    let external_ids = Condition::all().add(Column::ClientId.eq(client_id)).add(Column::UserId.eq(user_id));
    Entity::delete_many().filter(external_ids).exec(transaction).await?;
    Ok(())
}

/// Deletes the user with its documents, verifications, history and released holds; the documents' objects are recorded as
/// to be deleted.
async fn delete_rows(
    transaction: &Transaction,
    (client_id, user_id): (Uuid, Uuid),
    now: DateTime<Utc>,
) -> Result<(Deleted, Vec<String>), StoreError> {
    let mut deleted = Deleted::default();
    let attempts = verification_attempt::Entity::find()
        .select_only()
        .column(verification_attempt::Column::Id)
        .filter(verification_attempt::Column::ClientId.eq(client_id))
        .filter(verification_attempt::Column::UserId.eq(user_id));
    for ids in attempts.into_tuple::<Uuid>().all(transaction).await?.chunks(AT_ONCE) {
        let steps = review_step::Entity::delete_many()
            .filter(review_step::Column::ClientId.eq(client_id))
            .filter(review_step::Column::AttemptId.is_in(ids.iter().copied()));
        deleted.review_steps += steps.exec(transaction).await?.rows_affected;
        let attempts = verification_attempt::Entity::delete_many()
            .filter(verification_attempt::Column::ClientId.eq(client_id))
            .filter(verification_attempt::Column::Id.is_in(ids.iter().copied()));
        deleted.verifications += attempts.exec(transaction).await?.rows_affected;
    }
    let of_user = document::Column::ClientId.eq(client_id).and(document::Column::UserId.eq(user_id));
    let objects = document::Entity::find().select_only().column(document::Column::ObjectKey).filter(of_user.clone());
    let objects = objects.into_tuple::<String>().all(transaction).await?;
    for keys in objects.chunks(AT_ONCE) {
        let row = |key: &String| object_to_delete::ActiveModel { object_key: Set(key.clone()), requested_at: Set(now) };
        let rows = keys.iter().map(row);
        object_to_delete::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    deleted.documents = document::Entity::delete_many().filter(of_user).exec(transaction).await?.rows_affected;
    let history = user_history::Entity::delete_many()
        .filter(user_history::Column::ClientId.eq(client_id))
        .filter(user_history::Column::UserId.eq(user_id));
    deleted.history = history.exec(transaction).await?.rows_affected;
    legal_hold::Entity::delete_many()
        .filter(legal_hold::Column::ClientId.eq(client_id))
        .filter(legal_hold::Column::UserId.eq(user_id))
        .exec(transaction)
        .await?;
    user::Entity::delete_by_id((client_id, user_id)).exec(transaction).await?;
    Ok((deleted, objects))
}

/// Counts the user no more.
async fn count_erased(transaction: &Transaction, read: &UserRecord, id: Uuid) -> Result<(), StoreError> {
    let kind: UserType = read.kind.parse().map_err(|_| StoreError::corrupt("a user's kind"))?;
    let status: Status = read.status.parse().map_err(|_| StoreError::corrupt("a user's status"))?;
    let change = CountChange::of((read.client_id, read.id), kind.into_str(), None, status.into_str());
    user_count_change::Entity::insert(change.into_row(id, -1)).exec_without_returning(transaction).await?;
    Ok(())
}

impl ErasedUser {
    fn into_row(self) -> erased_user::ActiveModel {
        erased_user::ActiveModel {
            client_id: Set(self.client_id),
            user_id: Set(self.user_id),
            erased_at: Set(self.erased_at),
            statement: Set(self.certificate.statement),
            signature: Set(self.certificate.signature),
            finished_at: Set(None),
        }
    }
}

impl From<erased_user::Model> for ErasedUser {
    fn from(row: erased_user::Model) -> Self {
        Self {
            client_id: row.client_id,
            user_id: row.user_id,
            erased_at: row.erased_at,
            certificate: Certificate { statement: row.statement, signature: row.signature },
        }
    }
}
