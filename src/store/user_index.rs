//! The index: by which values users are found. A row says that a user has a value, of which it holds a keyed digest.
//!
//! The rows of a user are written with the user. A reader of them opens the profile and checks that it has the value: a
//! row says where to look, not what is there.

use entity::{external_id, user, user_index};
use sea_orm::sea_query::{Expr, ExprTrait as _, InsertStatement, OnConflict, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::rows::{count_up_to, each_id};
use super::{Engine, Store, StoreError, Transaction, UserRecord};

/// What is indexed in which form. A program reads and writes rows of its own version alone; a change of what is indexed,
/// or of how values are normalized, raises it, and the job `rebuild_index` indexes all users again.
pub const INDEX_VERSION: i16 = 1;

/// How many values one query names; both engines allow many more.
const AT_ONCE: usize = 500;

/// What the index has of a new user.
#[derive(Clone, Debug, Default)]
pub struct NewEntries {
    /// Digests of the user's values.
    pub digests: Vec<Uuid>,
    /// The digest of the external id, where no other user of the client may have the same.
    pub unique_external_id: Option<Uuid>,
}

/// How a change of a user changes the index.
#[derive(Clone, Debug, Default)]
pub struct IndexChange {
    /// Digests of values that the user no longer has.
    pub removed: Vec<Uuid>,
    /// Digests of values that it did not have.
    pub added: Vec<Uuid>,
    /// The digest of an external id that others may have from now on.
    pub released_external_id: Option<Uuid>,
    /// The digest of an external id that no other user of the client may have.
    pub unique_external_id: Option<Uuid>,
}

/// A range of identifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdRange {
    /// None is below.
    pub from: Option<Uuid>,
    /// All are below.
    pub before: Option<Uuid>,
}

impl IdRange {
    pub(super) fn of<C: ColumnTrait>(self, id: C) -> Condition {
        let from = self.from.map(|from| id.gte(from));
        let before = self.before.map(|before| id.lt(before));
        Condition::all().add_option(from).add_option(before)
    }
}

/// The insert of a user's entries, one text for any number of them: the engines keep few prepared statements.
pub(super) fn insert_entries(
    engine: Engine,
    client_id: Uuid,
    user_id: Uuid,
    digests: &[Uuid],
) -> Option<InsertStatement> {
    use user_index::Column::{ClientId, Digest, UserId, Version};
    if digests.is_empty() {
        return None;
    }
    let (each, digest) = each_id(engine, digests, "entries");
    let mut rows = Query::select();
    rows.expr(Expr::val(client_id)).expr(Expr::val(INDEX_VERSION)).expr(digest).expr(Expr::val(user_id));
    rows.from_function(each, "entries");
    // SQLite takes `ON CONFLICT` after a select without a condition for a join.
    rows.and_where(Expr::cust("TRUE"));
    let mut insert = Query::insert();
    insert.into_table(user_index::Entity).columns([ClientId, Version, Digest, UserId]);
    // The columns are those of the select.
    insert.select_from(rows).ok()?;
    Some(insert.take())
}

/// Changes the entries of a user within the transaction that changes the user.
pub(super) async fn change_entries(
    engine: Engine,
    transaction: &Transaction,
    (client_id, user_id): (Uuid, Uuid),
    change: &IndexChange,
) -> Result<(), StoreError> {
    for digests in change.removed.chunks(AT_ONCE) {
        user_index::Entity::delete_many()
            .filter(of_version(client_id))
            .filter(user_index::Column::Digest.is_in(digests.iter().copied()))
            .filter(user_index::Column::UserId.eq(user_id))
            .exec(transaction)
            .await?;
    }
    add_entries(engine, transaction, (client_id, user_id), &change.added).await?;
    if let Some(digest) = change.released_external_id {
        external_id::Entity::delete_by_id((client_id, digest))
            .filter(external_id::Column::UserId.eq(user_id))
            .exec(transaction)
            .await?;
    }
    if let Some(digest) = change.unique_external_id {
        let row = unique_external_id(client_id, digest, user_id);
        external_id::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Adds entries that may be there already.
pub(super) async fn add_entries(
    engine: Engine,
    transaction: &Transaction,
    (client_id, user_id): (Uuid, Uuid),
    digests: &[Uuid],
) -> Result<(), StoreError> {
    if let Some(mut insert) = insert_entries(engine, client_id, user_id, digests) {
        insert.on_conflict(OnConflict::new().do_nothing().to_owned());
        transaction.execute(&insert).await?;
    }
    Ok(())
}

pub(super) fn unique_external_id(client_id: Uuid, digest: Uuid, user_id: Uuid) -> external_id::ActiveModel {
    external_id::ActiveModel { client_id: Set(client_id), digest: Set(digest), user_id: Set(user_id) }
}

fn of_version(client_id: Uuid) -> Condition {
    use user_index::Column::{ClientId, Version};
    Condition::all().add(ClientId.eq(client_id)).add(Version.eq(INDEX_VERSION))
}

impl Store {
    /// Up to `limit` users of this client that have an entry with this digest, newest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn indexed_users(
        &self,
        client_id: Uuid,
        digest: Uuid,
        range: IdRange,
        limit: u64,
    ) -> Result<Vec<Uuid>, StoreError> {
        use user_index::Column::{Digest, UserId};
        let found = user_index::Entity::find()
            .select_only()
            .column(UserId)
            .filter(of_version(client_id))
            .filter(Digest.eq(digest))
            .filter(range.of(UserId))
            .order_by_desc(UserId)
            .limit(limit);
        Ok(found.into_tuple::<Uuid>().all(&self.read()).await?)
    }

    /// How many entries with this digest there are, counted up to `most`.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn count_indexed(
        &self,
        client_id: Uuid,
        digest: Uuid,
        range: IdRange,
        most: u64,
    ) -> Result<u64, StoreError> {
        use user_index::Column::{Digest, UserId};
        let found =
            user_index::Entity::find().filter(of_version(client_id)).filter(Digest.eq(digest)).filter(range.of(UserId));
        count_up_to(&self.read(), found.into_query(), most).await
    }

    /// Those of the users with these ids that have entries with all these digests and pass the filter, newest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn matching_users(
        &self,
        client_id: Uuid,
        mut ids: Vec<Uuid>,
        digests: &[Uuid],
        filter: &super::UserFilter,
    ) -> Result<Vec<UserRecord>, StoreError> {
        use user::Column::{ClientId, Id, Kind, Status};
        // One digest after the other, by their keys: in one statement PostgreSQL may read all entries of a common one.
        for digest in digests {
            ids = self.those_indexed(client_id, *digest, ids).await?;
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = user::Entity::find().filter(ClientId.eq(client_id)).filter(Id.is_in(ids)).order_by_desc(Id);
        if !filter.statuses.is_empty() {
            found = found.filter(Status.is_in(filter.statuses.iter().copied()));
        }
        if !filter.kinds.is_empty() {
            found = found.filter(Kind.is_in(filter.kinds.iter().copied()));
        }
        Ok(found.all(&self.read()).await?.into_iter().map(UserRecord::from).collect())
    }

    /// Those of the users that have an entry with this digest.
    async fn those_indexed(&self, client_id: Uuid, digest: Uuid, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
        use user_index::Column::{Digest, UserId};
        let (each, id) = each_id(self.engine(), &ids, "candidate");
        let entry = Query::select()
            .expr(Expr::val(1))
            .from(user_index::Entity)
            .cond_where(of_version(client_id))
            .and_where(Digest.eq(digest))
            .and_where(Expr::col(UserId).eq(id.clone()))
            .take();
        // A value, which is looked up for each user: a condition `IN` or `EXISTS` PostgreSQL may turn into one that reads
        // all entries of a common digest.
        let found =
            Query::select().expr(id).from_function(each, "candidate").and_where(Expr::from(entry).is_not_null()).take();
        let rows = self.read().query_all(&found).await?;
        let ids: Result<_, DbErr> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
        Ok(ids?)
    }

    /// The user that has taken an external id for itself, where the installation keeps them unique.
    pub(super) async fn owner_of_external_id(&self, client_id: Uuid, digest: Uuid) -> Result<Option<Uuid>, StoreError> {
        let found = external_id::Entity::find_by_id((client_id, digest)).one(&self.read()).await?;
        Ok(found.map(|row| row.user_id))
    }
}
