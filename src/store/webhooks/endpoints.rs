//! The endpoints of clients.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{client, webhook_endpoint};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Select, Set, Statement,
};
use tracing::instrument;
use uuid::Uuid;

use super::super::claims::{Ended, once};
use super::super::{ClientClaim, Once, Store, StoreError, Transaction, in_transaction};
use super::{DisabledReason, EndpointRecord};

/// A new endpoint.
#[derive(Clone)]
pub struct NewEndpoint {
    /// Identifier.
    pub id: Uuid,
    /// The client that receives.
    pub client_id: Uuid,
    /// Where, sealed for this endpoint.
    pub sealed_url: Vec<u8>,
    /// The signing secret, sealed for this endpoint.
    pub sealed_secret: Vec<u8>,
    /// The kinds of events to send; empty: all.
    pub events: Vec<String>,
    /// Whether the events of a user arrive one after another.
    pub ordered: bool,
    /// Whether it is sent to; meanwhile its deliveries are kept.
    pub enabled: bool,
}

/// How a registration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The endpoint is stored.
    Made(EndpointRecord),
    /// The client has an endpoint with this URL already; nothing was written.
    Exists(EndpointRecord),
    /// The client has as many endpoints as it may; nothing was written.
    TooMany,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// The endpoint is changed.
    Made(Box<EndpointRecord>),
    /// The client has another endpoint with this URL; nothing was written.
    UrlTaken,
    /// The client has no such endpoint.
    NoEndpoint,
}

/// What changes of an endpoint; what is None stays.
#[derive(Clone, Default)]
pub struct EndpointChange {
    /// Where, sealed.
    pub sealed_url: Option<Vec<u8>>,
    /// The kinds of events to send; empty: all.
    pub events: Option<Vec<String>>,
    /// Whether the events of a user arrive one after another.
    pub ordered: Option<bool>,
    /// Enabling resets the failures. Disabling keeps what is not sent yet.
    pub enabled: Option<bool>,
    /// The new signing secret, sealed, and until when the previous one signs as well.
    pub secret: Option<(Vec<u8>, DateTime<Utc>)>,
}

/// Whether the URL of an endpoint, which only the vault can read, is the one that a request brings.
pub type SameUrl<'a> = &'a (dyn Fn(&EndpointRecord) -> bool + Sync);

impl Store {
    /// Makes an endpoint, unless the client has one that `is_same_url` recognizes, or `most` in all.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn register_endpoint(
        &self,
        new: NewEndpoint,
        is_same_url: SameUrl<'_>,
        most: usize,
        claim: Option<ClientClaim>,
        now: DateTime<Utc>,
    ) -> Result<Once<Registration>, StoreError> {
        once!(self, claim, now, |transaction| {
            let registered = register_in(transaction, new.clone(), is_same_url, most, now).await;
            registered.map(|registration| match registration {
                Registration::Made(_) => Ended::Changed(registration),
                Registration::Exists(_) | Registration::TooMany => Ended::Unchanged(registration),
            })
        })
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

    /// The deliveries that each endpoint of a client has not taken yet, due or not, by the endpoint; each counted up to
    /// `most`, by their index.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn pending_deliveries(&self, client_id: Uuid, most: u32) -> Result<HashMap<Uuid, u32>, StoreError> {
        let count = format!(
            r#"SELECT "e"."id", (SELECT COUNT(*) FROM (SELECT 1 FROM "webhook_deliveries" AS "d"
                WHERE "d"."client_id" = "e"."client_id" AND "d"."endpoint_id" = "e"."id"
                AND "d"."state" = 'pending' LIMIT {most}) AS "pending")
            FROM "webhook_endpoints" AS "e" WHERE "e"."client_id" = $1 AND "e"."deleted_at" IS NULL"#
        );
        let database = self.read();
        let statement = Statement::from_sql_and_values(database.get_database_backend(), count, [client_id.into()]);
        let rows = database.query_all_raw(statement).await?;
        let counts = rows.into_iter().map(|row| {
            let count: i64 = row.try_get_by_index(1)?;
            Ok((row.try_get_by_index(0)?, u32::try_from(count).unwrap_or(most)))
        });
        counts.collect()
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

    /// Changes an endpoint, unless `is_same_url` recognizes its new URL as that of another one of the client's.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn change_endpoint(
        &self,
        client_id: Uuid,
        id: Uuid,
        change: EndpointChange,
        is_same_url: SameUrl<'_>,
        claim: Option<ClientClaim>,
        now: DateTime<Utc>,
    ) -> Result<Once<Alteration>, StoreError> {
        once!(self, claim, now, |transaction| {
            let altered = change_in(transaction, client_id, id, change.clone(), is_same_url, now).await;
            altered.map(|alteration| match alteration {
                Alteration::Made(_) => Ended::Changed(alteration),
                Alteration::UrlTaken | Alteration::NoEndpoint => Ended::Unchanged(alteration),
            })
        })
    }

    /// Removes an endpoint: nothing is sent to it any more, and its URL and secrets are gone. False: there is none.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn delete_endpoint(
        &self,
        client_id: Uuid,
        id: Uuid,
        claim: Option<ClientClaim>,
        now: DateTime<Utc>,
    ) -> Result<Once<bool>, StoreError> {
        once!(self, claim, now, |transaction| {
            let deleted = delete_in(transaction, client_id, id, now).await;
            deleted.map(|deleted| if deleted { Ended::Changed(true) } else { Ended::Unchanged(false) })
        })
    }
}

async fn delete_in(
    transaction: &Transaction,
    client_id: Uuid,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let gone = webhook_endpoint::ActiveModel {
        deleted_at: Set(Some(now)),
        sealed_url: Set(Vec::new()),
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
        .exec(transaction)
        .await?;
    Ok(updated.rows_affected > 0)
}

async fn register_in(
    transaction: &Transaction,
    new: NewEndpoint,
    is_same_url: SameUrl<'_>,
    most: usize,
    now: DateTime<Utc>,
) -> Result<Registration, StoreError> {
    lock(transaction, new.client_id).await?;
    let mut there = records(transaction, new.client_id).await?;
    if let Some(same) = there.iter().position(is_same_url) {
        return Ok(Registration::Exists(there.swap_remove(same)));
    }
    if there.len() >= most {
        return Ok(Registration::TooMany);
    }
    let row = webhook_endpoint::Model {
        id: new.id,
        client_id: new.client_id,
        sealed_url: new.sealed_url,
        sealed_secret: new.sealed_secret,
        sealed_previous_secret: None,
        previous_until: None,
        events: new.events.into(),
        ordered: new.ordered,
        failures: 0,
        failing_since: None,
        paused_until: None,
        disabled_at: (!new.enabled).then_some(now),
        disabled_reason: (!new.enabled).then_some(DisabledReason::ByOwner),
        deleted_at: None,
        created_at: now,
        updated_at: now,
    };
    webhook_endpoint::Entity::insert(row.clone().into_active_model()).exec_without_returning(transaction).await?;
    Ok(Registration::Made(EndpointRecord::read(row)?))
}

async fn change_in(
    transaction: &Transaction,
    client_id: Uuid,
    id: Uuid,
    change: EndpointChange,
    is_same_url: SameUrl<'_>,
    now: DateTime<Utc>,
) -> Result<Alteration, StoreError> {
    if change.sealed_url.is_some() {
        lock(transaction, client_id).await?;
        let there = records(transaction, client_id).await?;
        if there.iter().any(|other| other.id != id && is_same_url(other)) {
            return Ok(Alteration::UrlTaken);
        }
    }
    let found = of_client(client_id).filter(webhook_endpoint::Column::Id.eq(id)).lock_exclusive();
    let Some(found) = found.one(transaction).await? else { return Ok(Alteration::NoEndpoint) };
    let secret_before = found.sealed_secret.clone();
    let is_disabled = found.disabled_at.is_some();
    let mut row = found.into_active_model();
    if let Some(sealed_url) = change.sealed_url {
        row.sealed_url = Set(sealed_url);
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
            row.disabled_reason = Set(Some(DisabledReason::ByOwner));
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
    let row = row.update(transaction).await?;
    Ok(Alteration::Made(EndpointRecord::read(row)?.into()))
}

/// What gives a client's endpoints their URLs passes one after another.
pub(super) async fn lock(transaction: &Transaction, client_id: Uuid) -> Result<(), StoreError> {
    client::Entity::find_by_id(client_id).lock_exclusive().one(transaction).await?;
    Ok(())
}

/// The endpoints of a client, at most a few dozen.
async fn records(transaction: &Transaction, client_id: Uuid) -> Result<Vec<EndpointRecord>, StoreError> {
    of_client(client_id).all(transaction).await?.into_iter().map(EndpointRecord::read).collect()
}

fn present() -> Select<webhook_endpoint::Entity> {
    webhook_endpoint::Entity::find().filter(webhook_endpoint::Column::DeletedAt.is_null())
}

fn of_client(client_id: Uuid) -> Select<webhook_endpoint::Entity> {
    present().filter(webhook_endpoint::Column::ClientId.eq(client_id))
}
