//! Lists of users, newest first: their identifiers begin with the millisecond of their creation.

use chrono::{DateTime, Utc};
use entity::user;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use strum::VariantArray as _;
use tracing::instrument;
use uuid::Uuid;

use super::rows::count_up_to;
use super::{IdRange, Store, StoreError, UserRecord};
use crate::domain::status::Status;
use crate::domain::user_type::UserType;

/// Which users of a client are asked for, by what is in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Those of one of these statuses; empty: of any.
    pub statuses: Vec<&'static str>,
    /// Those of one of these kinds; empty: of any.
    pub kinds: Vec<&'static str>,
}

impl UserFilter {
    pub(super) fn statuses_or_all(&self) -> Vec<&'static str> {
        if self.statuses.is_empty() {
            return Status::VARIANTS.iter().map(|status| status.into_str()).collect();
        }
        self.statuses.clone()
    }

    pub(super) fn kinds_or_all(&self) -> Vec<&'static str> {
        if self.kinds.is_empty() {
            return UserType::VARIANTS.iter().map(|kind| kind.into_str()).collect();
        }
        self.kinds.clone()
    }

    /// The ranges of an index that hold these users of a client, each in the order of their ids.
    fn ranges(&self, client_id: Uuid, ids: IdRange) -> Vec<Select<user::Entity>> {
        use user::Column::{ClientId, Id, Kind, Status};
        let all = user::Entity::find().filter(ClientId.eq(client_id)).filter(ids.of(Id));
        if *self == Self::default() {
            return vec![all];
        }
        let kinds = self.kinds_or_all();
        let of_status = |status: &'static str| {
            let all = all.clone().filter(Status.eq(status));
            kinds.iter().map(move |kind| all.clone().filter(Kind.eq(*kind))).collect::<Vec<_>>()
        };
        self.statuses_or_all().into_iter().flat_map(of_status).collect()
    }
}

/// The smallest identifier of a user that was created at a time or later.
#[must_use]
pub fn first_id_at(time: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(time.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

/// When a user was created, in milliseconds of Unix time.
pub(super) fn created_millis(id: Uuid) -> i64 {
    // 48 bits.
    i64::try_from(id.as_u128() >> 80).unwrap_or_default()
}

impl Store {
    /// Up to `limit` users of a client after the first `offset`, newest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_users(
        &self,
        client_id: Uuid,
        filter: &UserFilter,
        ids: IdRange,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<UserRecord>, StoreError> {
        use user::Column::Id;
        let mut found = Vec::new();
        for range in filter.ranges(client_id, ids) {
            let range = range.select_only().column(Id).order_by_desc(Id).limit(offset + limit);
            found.extend(range.into_tuple::<Uuid>().all(&self.read()).await?);
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        let (offset, limit) = (usize::try_from(offset), usize::try_from(limit));
        let page = found.into_iter().skip(offset.unwrap_or(usize::MAX)).take(limit.unwrap_or(usize::MAX)).collect();
        self.matching_users(client_id, page, &[], &UserFilter::default()).await
    }

    /// How many users there are in a range of ids, counted up to `most`.
    pub(super) async fn count_range(
        &self,
        client_id: Uuid,
        filter: &UserFilter,
        ids: IdRange,
        most: u64,
    ) -> Result<u64, StoreError> {
        let mut total = 0;
        for range in filter.ranges(client_id, ids) {
            total += count_up_to(&self.read(), sea_orm::QueryTrait::into_query(range), most - total).await?;
            if total == most {
                break;
            }
        }
        Ok(total)
    }
}
