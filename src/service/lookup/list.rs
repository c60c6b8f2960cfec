//! The list of users, and the search for some by their values.

use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::cursor;
use super::search::Search;
use crate::contract::v1;
use crate::profile::Profile;
use crate::service::convert::to_user;
use crate::service::failure::{corrupt, of_store};
use crate::service::idempotency;
use crate::service::request::caller;
use crate::service::users::{CREATE_USER, Users, open_profile, record};
use crate::store::{IdempotencyScope, MOST_COUNTED, UserRecord};

/// Up to how many users that have a value are all opened, so that those that match are counted.
const FEW: usize = 200;
/// How many a search opens at a time where there are more.
const BATCH: u64 = 200;
/// How many a search opens at most before it answers with what it has found.
const MOST_OPENED: usize = 2_000;

/// A user that was opened.
type Opened = (UserRecord, Profile);

/// A part of a list.
struct Page {
    users: Vec<Opened>,
    total: u64,
    /// The user behind which the list goes on, if it does.
    next: Option<Uuid>,
}

impl Page {
    /// The first `limit` of users of which one more was asked for.
    fn cut(mut users: Vec<Opened>, limit: usize, total: u64) -> Self {
        let has_more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().map(|(row, _)| row.id).filter(|_| has_more);
        Self { users, total, next }
    }
}

impl Users {
    /// Lists users of the calling client.
    pub(in crate::service) async fn list(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        let client_id = caller(&request)?.client_id;
        let query = request.into_inner();
        let search = Search::read(&self.index, client_id, &query)?;
        let Page { users, total, next } = self.page(client_id, &search).await?;
        let data = users.into_iter().map(|(row, profile)| self.show(&row, profile)).collect::<Result<_, _>>()?;
        let pagination = Some(v1::UserPagination {
            total: u32::try_from(total).unwrap_or(u32::MAX),
            limit: search.limit,
            offset: search.offset,
            has_more: next.is_some(),
            next_cursor: next.map(|id| cursor::after(&self.index, client_id, &query, id)),
        });
        Ok(Response::new(v1::ListUsersResponse { data, pagination }))
    }

    fn show(&self, row: &UserRecord, profile: Profile) -> Result<v1::User, Status> {
        let status = row.status.parse().map_err(|_| corrupt("a stored status"))?;
        Ok(to_user(&record(row, status)?, profile, &self.catalogue, self.numbers))
    }

    async fn page(&self, client_id: Uuid, search: &Search) -> Result<Page, Status> {
        if let Some(key) = search.key {
            let ids = self.made_with(client_id, key).await?.into_iter().collect();
            return self.page_of_few(client_id, search, ids).await;
        }
        let digests = self.rarest_first(client_id, search).await?;
        let Some((first, others)) = digests.split_first() else { return self.page_of_all(client_id, search).await };
        let few = self.store.indexed_users(client_id, *first, search.ids(), FEW as u64 + 1).await.map_err(of_store)?;
        if few.len() <= FEW {
            return self.page_of_few(client_id, search, few).await;
        }
        self.page_of_many(client_id, search, (*first, others)).await
    }

    /// The user that a create with this key made.
    async fn made_with(&self, client_id: Uuid, key: Uuid) -> Result<Option<Uuid>, Status> {
        let scope = IdempotencyScope { client_id, operation: CREATE_USER, key };
        let Some(claim) = self.store.find_claim(&scope).await.map_err(of_store)? else { return Ok(None) };
        idempotency::request_of(&self.fingerprints, &scope, &claim)?;
        Ok(Some(claim.user_id))
    }

    /// The digests of a search, the one of the fewest users first.
    async fn rarest_first(&self, client_id: Uuid, search: &Search) -> Result<Vec<Uuid>, Status> {
        let digests = search.digests(&self.index, client_id);
        if digests.len() < 2 {
            return Ok(digests);
        }
        let mut counted = Vec::with_capacity(digests.len());
        for digest in digests {
            let count = self.store.count_indexed(client_id, digest, search.ids(), MOST_OPENED as u64);
            counted.push((count.await.map_err(of_store)?, digest));
        }
        counted.sort_unstable();
        Ok(counted.into_iter().map(|(_, digest)| digest).collect())
    }

    /// A page of all users that pass the filters in clear.
    async fn page_of_all(&self, client_id: Uuid, search: &Search) -> Result<Page, Status> {
        let Search { filter, from, before, position, limit, offset, .. } = search;
        let ids = search.ids_behind(*position);
        let total = self.store.count_users(client_id, filter, *from, *before);
        let rows = self.store.list_users(client_id, filter, ids, (*offset).into(), u64::from(*limit) + 1);
        let (total, mut rows) = (total.await.map_err(of_store)?, rows.await.map_err(of_store)?);
        let has_more = rows.len() > *limit as usize;
        rows.truncate(*limit as usize);
        let next = rows.last().map(|row| row.id).filter(|_| has_more);
        Ok(Page { users: rows.into_iter().filter_map(|row| self.open_row(row)).collect(), total, next })
    }

    /// A page of those of a few candidates that match, which are all looked at.
    async fn page_of_few(&self, client_id: Uuid, search: &Search, ids: Vec<Uuid>) -> Result<Page, Status> {
        let range = search.ids();
        let is_in_range =
            |id: &Uuid| range.from.is_none_or(|from| *id >= from) && range.before.is_none_or(|end| *id < end);
        let ids = ids.into_iter().filter(is_in_range).collect();
        let found = self.matching(client_id, search, ids, &[]).await?;
        let total = found.len() as u64;
        let is_behind = |(row, _): &Opened| search.position.is_none_or(|position| row.id < position);
        let page = found.into_iter().filter(is_behind).skip(search.offset as usize);
        Ok(Page::cut(page.collect(), search.limit as usize, total))
    }

    /// A page of a search with many candidates. They are opened from the position on until the page is full, at most
    /// [`MOST_OPENED`] of them.
    async fn page_of_many(
        &self,
        client_id: Uuid,
        search: &Search,
        (first, others): (Uuid, &[Uuid]),
    ) -> Result<Page, Status> {
        let total = self.store.count_indexed(client_id, first, search.ids(), MOST_COUNTED).await.map_err(of_store)?;
        let (limit, mut skip) = (search.limit as usize, search.offset as usize);
        let (mut users, mut position, mut opened) = (Vec::new(), search.position, 0);
        while opened < MOST_OPENED {
            let ids = search.ids_behind(position);
            let ids = self.store.indexed_users(client_id, first, ids, BATCH).await.map_err(of_store)?;
            let Some(last) = ids.last().copied() else { return Ok(Page::cut(users, limit, total)) };
            opened += ids.len();
            for found in self.matching(client_id, search, ids, others).await? {
                if skip > 0 {
                    skip -= 1;
                } else {
                    users.push(found);
                }
            }
            if users.len() > limit {
                return Ok(Page::cut(users, limit, total));
            }
            position = Some(last);
        }
        Ok(Page { users, total, next: position })
    }

    /// Those of the candidates that match, newest first.
    async fn matching(
        &self,
        client_id: Uuid,
        search: &Search,
        ids: Vec<Uuid>,
        digests: &[Uuid],
    ) -> Result<Vec<Opened>, Status> {
        let rows = self.store.matching_users(client_id, ids, digests, &search.filter).await.map_err(of_store)?;
        let opened = rows.into_iter().filter_map(|row| self.open_row(row));
        Ok(opened.filter(|(_, profile)| search.matches(profile)).collect())
    }

    /// Opens a user. One that does not open is left out: it must not keep the others from being listed.
    fn open_row(&self, mut row: UserRecord) -> Option<Opened> {
        match open_profile(&self.vault, &mut row) {
            Ok((_, profile)) => Some((row, profile)),
            Err(_) => {
                tracing::error!(user = %row.id, "a user that does not open is left out of a list");
                None
            }
        }
    }
}
