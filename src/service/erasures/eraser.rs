//! Erasing a user: on request, because it expired, or again after a database was restored.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::{Stream, TryStreamExt as _, stream};
use kira_gateway::error::{self, ErrorReason};
use strum::VariantArray as _;
use tonic::Status;
use uuid::Uuid;

use super::certificate::{certify, verified};
use crate::domain::erasure::{Cause, Retention};
use crate::domain::event::{EventKind, EventPayload};
use crate::domain::status::Status as UserStatus;
use crate::domain::user_type::UserType;
use crate::profile::lookup::external_id;
use crate::service::failure::{corrupt, of_documents, of_store};
use crate::service::idempotency::Keyed;
use crate::service::lookup;
use crate::service::request::note_user;
use crate::service::users::{Users, open_profile, user_not_found};
use crate::service::{discarded, etag};
use crate::store::{
    Certificate, Deleted, Erased, ErasedUser, Erasure, INDEX_VERSION, IndexChange, NewEvent, Once, UserRecord,
};
use crate::vault::EvidenceKey;
use crate::webhook::sealing;

/// How often an erasure is tried because another process changed the user.
const ROUNDS: usize = 32;
/// Seconds to wait after too many conflicts.
const RETRY_AFTER: u32 = 1;
/// Users of a page of those that expired.
const PAGE: u64 = 100;
/// For how long after an erasure a delivery of an earlier event may still be written: longer than a transaction takes.
const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Erases users.
#[derive(Clone)]
pub struct Eraser {
    /// The users service, with the database.
    pub users: Users,
    /// For how long users are kept.
    pub retention: Retention,
    /// Signs certificates.
    pub key: Arc<EvidenceKey>,
}

/// A request to erase a user.
pub(super) struct Wish<'a> {
    pub(super) client_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) cause: Cause,
    /// The condition, where the request has one.
    pub(super) if_match: Option<&'a str>,
    /// The idempotency key, where the request has one.
    pub(super) keyed: Option<&'a Keyed>,
}

/// What came of erasing again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reapplied {
    /// Users that were erased.
    pub erased: u64,
    /// Objects that are no certificates.
    pub unreadable: u64,
}

/// A user that has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// Its status.
    pub status: UserStatus,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
}

impl Eraser {
    /// Erases a user of the operator's choice.
    ///
    /// # Errors
    /// NOT_FOUND; `ERASURE_BLOCKED` where a hold or the retention period keeps it; UNAVAILABLE without the database.
    pub async fn erase(&self, client_id: Uuid, user_id: Uuid) -> Result<ErasedUser, Status> {
        let wish = Wish { client_id, user_id, cause: Cause::Operator, if_match: None, keyed: None };
        Ok(self.fulfil(wish).await?.0)
    }

    /// What is left of a user that was erased.
    ///
    /// # Errors
    /// NOT_FOUND; UNAVAILABLE without the database.
    pub async fn erased(&self, client_id: Uuid, user_id: Uuid) -> Result<ErasedUser, Status> {
        let found = self.users.store.find_erased_user(client_id, user_id).await.map_err(of_store)?;
        found.ok_or_else(|| user_not_found(user_id))
    }

    /// Erases a user, unless it is erased already; and whether it was.
    pub(super) async fn fulfil(&self, wish: Wish<'_>) -> Result<(ErasedUser, bool), Status> {
        let Wish { client_id, user_id, .. } = wish;
        note_user(user_id);
        if let Some(keyed) = wish.keyed
            && let Some(known) = self.users.store.find_claim(keyed.scope()).await.map_err(of_store)?
        {
            keyed.check(&self.users.fingerprints, &known)?;
            return Ok((self.erased(client_id, user_id).await?, true));
        }
        for _ in 0..ROUNDS {
            let Some(row) = self.users.store.find_user(client_id, user_id).await.map_err(of_store)? else {
                return Ok((self.erased(client_id, user_id).await?, true));
            };
            etag::require(wish.if_match, row.version)?;
            let now = self.users.env.now();
            if let Some(until) = self.retention.kept_until(row.verification_triggered, row.updated_at)
                && until > now
            {
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                return Err(blocked(format!("The user must be kept until {until}")));
            }
            let certify = |deleted| certify(&self.key, (client_id, user_id), now, wish.cause, deleted);
            match self.write(row, now, wish.keyed, &certify).await? {
                Once::Done(Erased::Done { user, objects }) => {
                    self.clear(&user, objects).await;
                    return Ok((user, false));
                }
                Once::Done(Erased::Held(holds)) => {
                    return Err(blocked(format!("The user must be kept: legal holds on it: {holds}")));
                }
                Once::Done(Erased::Conflict) => {}
                Once::Claimed(known) => {
                    wish.keyed.map_or(Ok(()), |keyed| keyed.check(&self.users.fingerprints, &known))?;
                    return Ok((self.erased(client_id, user_id).await?, true));
                }
            }
        }
        Err(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER))
    }

    async fn write(
        &self,
        mut row: UserRecord,
        now: DateTime<Utc>,
        keyed: Option<&Keyed>,
        certify: &(dyn Fn(Deleted) -> Certificate + Sync),
    ) -> Result<Once<Erased>, Status> {
        let status: UserStatus = row.status.parse().map_err(|_| corrupt("a stored status"))?;
        let kind: UserType = row.kind.parse().map_err(|_| corrupt("a stored kind"))?;
        let erasure = Erasure {
            index: self.index_entries(&mut row),
            event: NewEvent {
                id: self.users.env.new_id(),
                kind: EventKind::UserErased,
                payload: EventPayload::new(kind, status),
            },
            erased_at: now,
        };
        let claim = keyed.map(|keyed| keyed.claim(&self.users.fingerprints, Some(row.id), None));
        self.users.store.erase_user(&row, erasure, claim, certify).await.map_err(of_store)
    }

    /// What the index has of a user. None: its profile does not open, which must not keep it from being erased.
    fn index_entries(&self, row: &mut UserRecord) -> Option<IndexChange> {
        let index_version = row.index_version;
        let Ok((_, profile)) = open_profile(&self.users.vault, row) else {
            tracing::warn!(user = %row.id, "a user is erased whose profile does not open");
            return None;
        };
        if index_version != INDEX_VERSION {
            return None;
        }
        Some(IndexChange {
            removed: lookup::digests(&self.users.index, row.client_id, &profile).into_iter().collect(),
            released_external_id: self.users.unique_external_id(row.client_id, external_id(&profile)),
            ..IndexChange::default()
        })
    }

    /// Deletes the files and clears the webhooks of an erased user. What fails is left to the jobs.
    async fn clear(&self, user: &ErasedUser, objects: Vec<String>) {
        if let Err(error) = discarded::delete(&self.users.store, &self.users.documents, objects).await {
            tracing::warn!(%error, "files of an erased user wait for the sweep");
        }
        if let Err(error) = self.scrub(user).await {
            tracing::warn!(code = ?error.code(), "webhooks of an erased user wait for the next round");
        }
    }

    async fn scrub(&self, user: &ErasedUser) -> Result<(), Status> {
        let seal = |event: &_, delivery_id| sealing::sealed_body(&self.users.vault, event, delivery_id);
        self.users.store.scrub_deliveries(user.client_id, user.user_id, &seal).await.map_err(of_store)
    }

    /// Clears the webhooks of users that were erased a minute ago or earlier, once more, since a delivery may have been
    /// under way; and stores their certificates beside the documents, where [`Eraser::reapply`] finds them. Returns how
    /// many erasures it finished.
    ///
    /// # Errors
    /// UNAVAILABLE without the database or the document store.
    pub async fn finish(&self) -> Result<u64, Status> {
        let Users { store, env, documents, .. } = &self.users;
        let mut finished = 0;
        loop {
            let unfinished = store.unfinished_erasures(env.now() - SETTLED_AFTER, PAGE).await.map_err(of_store)?;
            let is_last = (unfinished.len() as u64) < PAGE;
            for user in unfinished {
                self.scrub(&user).await?;
                let key = format!("{}/{}/{}.json", documents.erasures(), user.client_id, user.user_id);
                // Texts: they are always JSON.
                let json = serde_json::to_vec(&user.certificate).expect("a certificate is JSON");
                documents.put(&key, json).await.map_err(of_documents)?;
                store.finish_erasure(&user, env.now()).await.map_err(of_store)?;
                finished += 1;
            }
            if is_last {
                return Ok(finished);
            }
        }
    }

    /// Erases again the users that a restored database has brought back: those whose certificates are stored beside the
    /// documents. Holds and retention do not prevent it. The log names what is there and is no certificate of this
    /// installation.
    ///
    /// # Errors
    /// UNAVAILABLE without the database or the document store.
    pub async fn reapply(&self) -> Result<Reapplied, Status> {
        let Users { store, documents, env, .. } = &self.users;
        let mut keys = documents.list_below(&documents.erasures());
        let mut reapplied = Reapplied::default();
        while let Some(key) = keys.try_next().await.map_err(of_documents)? {
            let json = documents.get(&key).await.map_err(of_documents)?;
            let (statement, certificate) = match verified(&json, &self.key.public()) {
                Ok(verified) => verified,
                Err(error) => {
                    tracing::error!(%error, object = key, "no certificate of an erasure");
                    reapplied.unreadable += 1;
                    continue;
                }
            };
            let erased_at = statement.erased_at.parse().unwrap_or_else(|_| env.now());
            let (client_id, user_id) = (statement.client_id, statement.user_id);
            let Some(row) = store.find_user(client_id, user_id).await.map_err(of_store)? else {
                let user = ErasedUser { client_id, user_id, erased_at, certificate };
                store.record_erased_user(user).await.map_err(of_store)?;
                continue;
            };
            store.discard_holds(client_id, user_id).await.map_err(of_store)?;
            match self.write(row, env.now(), None, &|_| certificate.clone()).await? {
                Once::Done(Erased::Done { user, objects }) => {
                    self.clear(&user, objects).await;
                    reapplied.erased += 1;
                }
                _ => return Err(error::status_with_retry(ErrorReason::Unavailable, RETRY_AFTER)),
            }
        }
        Ok(reapplied)
    }

    /// The users that have expired, in pages.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn expired(&self) -> Result<impl Stream<Item = Result<Vec<Expired>, Status>> + Send + Unpin, Status> {
        let clients = self.users.store.list_clients().await.map_err(of_store)?;
        let statuses: Vec<_> = self.retention.expired(self.users.env.now()).collect();
        let of_client = |client_id: Uuid| {
            let kinds =
                |(status, before)| UserType::VARIANTS.iter().map(move |kind| (client_id, status, before, *kind));
            statuses.iter().copied().flat_map(kinds).collect::<Vec<_>>()
        };
        let ranges: Vec<_> = clients.into_iter().flat_map(|client| of_client(client.id)).collect();
        let store = self.users.store.clone();
        Ok(Box::pin(stream::try_unfold((store, ranges, Uuid::nil()), |(store, mut ranges, after)| async move {
            let Some((client_id, status, before, kind)) = ranges.last().copied() else { return Ok(None) };
            let rows = store.unchanged_users(client_id, (status, kind), before, after, PAGE).await.map_err(of_store)?;
            let after = rows.last().map_or(Uuid::nil(), |last| last.id);
            if rows.is_empty() {
                ranges.pop();
            }
            let expired = |row: UserRecord| Expired { client_id, user_id: row.id, status, updated_at: row.updated_at };
            Ok(Some((rows.into_iter().map(expired).collect(), (store, ranges, after))))
        })))
    }

    /// Erases users that have expired, up to `most`. Those on hold, and those that must be kept longer, stay. Returns how
    /// many it erased.
    ///
    /// # Errors
    /// UNAVAILABLE without the database.
    pub async fn erase_expired(&self, most: u64) -> Result<u64, Status> {
        let mut erased = 0;
        let mut pages = self.expired().await?;
        while let Some(page) = pages.try_next().await? {
            for Expired { client_id, user_id, .. } in page {
                let wish = Wish { client_id, user_id, cause: Cause::Expired, if_match: None, keyed: None };
                match self.fulfil(wish).await {
                    Ok((_, was_erased)) => erased += u64::from(!was_erased),
                    Err(status) if is_blocked(&status) => {}
                    Err(status) => return Err(status),
                }
                if erased >= most {
                    return Ok(erased);
                }
            }
        }
        Ok(erased)
    }
}

fn blocked(message: String) -> Status {
    error::status(ErrorReason::ErasureBlocked, message)
}

fn is_blocked(status: &Status) -> bool {
    error::details(status).is_some_and(|details| details.reason == ErrorReason::ErasureBlocked)
}
