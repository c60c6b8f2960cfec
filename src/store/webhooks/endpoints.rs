//! The endpoints of clients.

use chrono::{DateTime, Utc};
use entity::{client, webhook_endpoint};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select, Set,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::{Store, StoreError};
use super::EndpointRecord;

/// A new endpoint.
#[derive(Clone)]
pub struct NewEndpoint {
    /// Identifier.
    pub id: Uuid,
    /// The client that is told.
    pub client_id: Uuid,
    /// Where.
    pub url: String,
    /// What signs, sealed for this endpoint.
    pub sealed_secret: Vec<u8>,
    /// The kinds of events that are wanted; empty: all.
    pub events: Vec<String>,
    /// Whether the events of a user arrive one after another.
    pub ordered: bool,
}

/// How a registration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The endpoint is there.
    Made(EndpointRecord),
    /// The client has an endpoint with this URL already; nothing was written.
    Exists(EndpointRecord),
    /// The client has as many endpoints as it may; nothing was written.
    TooMany,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// The endpoint is so now.
    Made(Box<EndpointRecord>),
    /// The client has another endpoint with this URL; nothing was written.
    UrlTaken,
    /// The client has no such endpoint.
    NoEndpoint,
}

/// What changes of an endpoint; what is None stays.
#[derive(Clone, Default)]
pub struct EndpointChange {
    /// Where.
    pub url: Option<String>,
    /// The kinds of events that are wanted; empty: all.
    pub events: Option<Vec<String>>,
    /// Whether the events of a user arrive one after another.
    pub ordered: Option<bool>,
    /// Enabling begins anew: what failed before counts no more. Disabling keeps what is not sent.
    pub enabled: Option<bool>,
    /// What signs from now on, sealed, and until when the secret so far signs beside it.
    pub secret: Option<(Vec<u8>, DateTime<Utc>)>,
}

/// Why an endpoint is disabled: its owner wanted it.
const BY_OWNER: &str = "by_owner";

impl Store {
    /// Makes an endpoint, unless the client has one with this URL or `most` in all.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn register_endpoint(
        &self,
        new: NewEndpoint,
        most: u64,
        now: DateTime<Utc>,
    ) -> Result<Registration, StoreError> {
        let transaction = self.begin().await?;
        lock(&transaction, new.client_id).await?;
        let there = of_client(new.client_id);
        let same = there.clone().filter(webhook_endpoint::Column::Url.eq(new.url.as_str())).one(&transaction).await?;
        if let Some(row) = same {
            return Ok(Registration::Exists(EndpointRecord::read(row)?));
        }
        if there.count(&transaction).await? >= most {
            return Ok(Registration::TooMany);
        }
        let row = webhook_endpoint::Model {
            id: new.id,
            client_id: new.client_id,
            url: new.url,
            sealed_secret: new.sealed_secret,
            sealed_previous_secret: None,
            previous_until: None,
            events: new.events.into(),
            ordered: new.ordered,
            failures: 0,
            failing_since: None,
            paused_until: None,
            disabled_at: None,
            disabled_reason: None,
            deleted_at: None,
            created_at: now,
            updated_at: now,
        };
        webhook_endpoint::Entity::insert(row.clone().into_active_model()).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        Ok(Registration::Made(EndpointRecord::read(row)?))
    }

    /// The endpoints of a client, or of all, oldest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_endpoints(&self, client_id: Option<Uuid>) -> Result<Vec<EndpointRecord>, StoreError> {
        let rows = client_id.map_or_else(present, of_client);
        let rows = rows.order_by_asc(webhook_endpoint::Column::CreatedAt).order_by_asc(webhook_endpoint::Column::Id);
        rows.all(&self.read()).await?.into_iter().map(EndpointRecord::read).collect()
    }

    /// An endpoint of this client, or of any.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_endpoint(&self, client_id: Option<Uuid>, id: Uuid) -> Result<Option<EndpointRecord>, StoreError> {
        let row = client_id
            .map_or_else(present, of_client)
            .filter(webhook_endpoint::Column::Id.eq(id))
            .one(&self.read())
            .await?;
        row.map(EndpointRecord::read).transpose()
    }

    /// Changes an endpoint, unless its new URL is that of another one of the client's.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn change_endpoint(
        &self,
        client_id: Uuid,
        id: Uuid,
        change: EndpointChange,
        now: DateTime<Utc>,
    ) -> Result<Alteration, StoreError> {
        let transaction = self.begin().await?;
        if let Some(url) = &change.url {
            lock(&transaction, client_id).await?;
            let same = of_client(client_id).filter(webhook_endpoint::Column::Url.eq(url.as_str()));
            if same.filter(webhook_endpoint::Column::Id.ne(id)).count(&transaction).await? > 0 {
                return Ok(Alteration::UrlTaken);
            }
        }
        let found = of_client(client_id).filter(webhook_endpoint::Column::Id.eq(id)).lock_exclusive();
        let Some(found) = found.one(&transaction).await? else { return Ok(Alteration::NoEndpoint) };
        let secret_before = found.sealed_secret.clone();
        let is_disabled = found.disabled_at.is_some();
        let mut row = found.into_active_model();
        if let Some(url) = change.url {
            row.url = Set(url);
        }
        if let Some(events) = change.events {
            row.events = Set(events.into());
        }
        if let Some(ordered) = change.ordered {
            row.ordered = Set(ordered);
        }
        match change.enabled {
            Some(false) if !is_disabled => {
                row.disabled_at = Set(Some(now));
                row.disabled_reason = Set(Some(BY_OWNER.to_owned()));
            }
            Some(true) => {
                row.disabled_at = Set(None);
                row.disabled_reason = Set(None);
                row.failures = Set(0);
                row.failing_since = Set(None);
                row.paused_until = Set(None);
            }
            _ => {}
        }
        if let Some((sealed, previous_until)) = change.secret {
            row.sealed_secret = Set(sealed);
            row.sealed_previous_secret = Set(Some(secret_before));
            row.previous_until = Set(Some(previous_until));
        }
        row.updated_at = Set(now);
        let row = row.update(&transaction).await?;
        transaction.commit().await?;
        Ok(Alteration::Made(EndpointRecord::read(row)?.into()))
    }

    /// Removes an endpoint: nothing is sent to it any more, and its secrets are gone. False: there is none.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn delete_endpoint(&self, client_id: Uuid, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let gone = webhook_endpoint::ActiveModel {
            deleted_at: Set(Some(now)),
            sealed_secret: Set(Vec::new()),
            sealed_previous_secret: Set(None),
            previous_until: Set(None),
            ..Default::default()
        };
        let updated = webhook_endpoint::Entity::update_many()
            .set(gone)
            .filter(webhook_endpoint::Column::Id.eq(id))
            .filter(webhook_endpoint::Column::ClientId.eq(client_id))
            .filter(webhook_endpoint::Column::DeletedAt.is_null())
            .exec(&self.write())
            .await?;
        Ok(updated.rows_affected > 0)
    }
}

/// What gives a client's endpoints their URLs passes one after another.
async fn lock(transaction: &DatabaseTransaction, client_id: Uuid) -> Result<(), StoreError> {
    client::Entity::find_by_id(client_id).lock_exclusive().one(transaction).await?;
    Ok(())
}

fn present() -> Select<webhook_endpoint::Entity> {
    webhook_endpoint::Entity::find().filter(webhook_endpoint::Column::DeletedAt.is_null())
}

fn of_client(client_id: Uuid) -> Select<webhook_endpoint::Entity> {
    present().filter(webhook_endpoint::Column::ClientId.eq(client_id))
}
