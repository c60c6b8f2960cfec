//! Legal holds. A hold is placed while its user's row is locked, as an erasure looks for holds: one sees the other.

use chrono::{DateTime, Utc};
use entity::legal_hold;
use sea_orm::{ActiveModelTrait as _, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use tracing::instrument;
use uuid::Uuid;

use super::claims::{Ended, once};
use super::verification::Row;
use super::{ClientClaim, Once, Store, StoreError, in_transaction};
use crate::domain::erasure::Authority;

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRecord {
    /// Identifier.
    pub id: Uuid,
    /// The client that owns the user.
    pub client_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// Why, sealed under the user's data key.
    pub sealed_reason: Vec<u8>,
    /// Who placed it.
    pub placed_by: Authority,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// When it was released; it holds until then.
    pub released_at: Option<DateTime<Utc>>,
}

/// How placing a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It holds.
    Done,
    /// The client has no such user; nothing was written.
    NoUser,
    /// The user has as many holds as it may; nothing was written.
    TooMany,
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is released, now or before.
    Done(HoldRecord),
    /// The user has no such hold.
    NoHold,
    /// Another authority placed it; nothing was written.
    NotYours,
}

impl Store {
    /// Places a hold on a user that has fewer than `most`.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn place_hold(
        &self,
        hold: HoldRecord,
        most: usize,
        claim: Option<ClientClaim>,
    ) -> Result<Once<Placed>, StoreError> {
        let now = hold.placed_at;
        once!(self, claim, now, |transaction| {
            async {
                if Row::lock(transaction, hold.client_id, hold.user_id).await?.is_none() {
                    return Ok(Ended::Unchanged(Placed::NoUser));
                }
                if of_user(hold.client_id, hold.user_id).all(transaction).await?.len() >= most {
                    return Ok(Ended::Unchanged(Placed::TooMany));
                }
                legal_hold::Entity::insert(hold.clone().into_row()).exec_without_returning(transaction).await?;
                Ok(Ended::Changed(Placed::Done))
            }
            .await
        })
    }

    /// Releases a hold that `authority` placed.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn release_hold(
        &self,
        (client_id, user_id, id): (Uuid, Uuid, Uuid),
        authority: Authority,
        now: DateTime<Utc>,
        claim: Option<ClientClaim>,
    ) -> Result<Once<Released>, StoreError> {
        once!(self, claim, now, |transaction| {
            async {
                Row::lock(transaction, client_id, user_id).await?;
                let found = legal_hold::Entity::find_by_id((client_id, user_id, id)).one(transaction).await?;
                let Some(found) = found else { return Ok(Ended::Unchanged(Released::NoHold)) };
                let mut hold = HoldRecord::read(found)?;
                if hold.placed_by != authority {
                    return Ok(Ended::Unchanged(Released::NotYours));
                }
                if hold.released_at.is_none() {
                    hold.released_at = Some(now);
                    hold.clone().into_row().reset_all().update(transaction).await?;
                }
                Ok(Ended::Changed(Released::Done(hold)))
            }
            .await
        })
    }

    /// The holds on a user of this client, oldest first; released ones too.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_holds(&self, client_id: Uuid, user_id: Uuid) -> Result<Vec<HoldRecord>, StoreError> {
        of_user(client_id, user_id).all(&self.read()).await?.into_iter().map(HoldRecord::read).collect()
    }

    /// Deletes the holds on a user that a restored database has brought back after its erasure.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn discard_holds(&self, client_id: Uuid, user_id: Uuid) -> Result<(), StoreError> {
        let holds = legal_hold::Entity::delete_many()
            .filter(legal_hold::Column::ClientId.eq(client_id))
            .filter(legal_hold::Column::UserId.eq(user_id));
        let discarded: Result<_, StoreError> = in_transaction!(self, |transaction| {
            holds.clone().exec(transaction).await?;
            Ok(())
        });
        discarded
    }

    /// A hold on a user of this client.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_hold(
        &self,
        (client_id, user_id, id): (Uuid, Uuid, Uuid),
    ) -> Result<Option<HoldRecord>, StoreError> {
        let found = legal_hold::Entity::find_by_id((client_id, user_id, id)).one(&self.read()).await?;
        found.map(HoldRecord::read).transpose()
    }
}

fn of_user(client_id: Uuid, user_id: Uuid) -> sea_orm::Select<legal_hold::Entity> {
    legal_hold::Entity::find()
        .filter(legal_hold::Column::ClientId.eq(client_id))
        .filter(legal_hold::Column::UserId.eq(user_id))
        .order_by_asc(legal_hold::Column::Id)
        // No user has more.
        .limit(1_000)
}

impl HoldRecord {
    fn read(row: legal_hold::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            client_id: row.client_id,
            user_id: row.user_id,
            sealed_reason: row.sealed_reason,
            placed_by: row.placed_by.parse().map_err(|_| StoreError::corrupt("who placed a hold"))?,
            placed_at: row.placed_at,
            released_at: row.released_at,
        })
    }

    fn into_row(self) -> legal_hold::ActiveModel {
        legal_hold::ActiveModel {
            client_id: Set(self.client_id),
            user_id: Set(self.user_id),
            id: Set(self.id),
            sealed_reason: Set(self.sealed_reason),
            placed_by: Set(self.placed_by.into_str().to_owned()),
            placed_at: Set(self.placed_at),
            released_at: Set(self.released_at),
        }
    }
}
