//! The keys of the service itself: those that sign tokens, and other secrets; all private parts come in sealed.

use chrono::{DateTime, Utc};
use entity::{secret, signing_key};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder};
use tracing::instrument;

use super::clients::expires_after;
use super::schema::AdvisoryLock;
use super::{Store, StoreError, in_transaction};

/// A key pair that signs access tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRecord {
    /// Key id, as in the token header.
    pub kid: String,
    /// Public half.
    pub public_key: Vec<u8>,
    /// Private half, sealed.
    pub sealed_private_key: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on tokens are signed with it.
    pub signs_from: DateTime<Utc>,
    /// From when on it is neither used nor published.
    pub retires_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for SigningKeyRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SigningKeyRecord")
            .field("kid", &self.kid)
            .field("created_at", &self.created_at)
            .field("signs_from", &self.signs_from)
            .field("retires_at", &self.retires_at)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// All signing keys, oldest first, retired ones too.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let order = signing_key::Entity::find()
            .order_by_asc(signing_key::Column::CreatedAt)
            .order_by_asc(signing_key::Column::Kid);
        Ok(order.all(&self.read()).await?.into_iter().map(SigningKeyRecord::from).collect())
    }

    /// Adds a signing key; with `others_retire_at` the others retire then, or earlier where they already do.
    ///
    /// # Errors
    /// `Internal` if the key id exists; `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn insert_signing_key(
        &self,
        key: &SigningKeyRecord,
        others_retire_at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        in_transaction!(self, |transaction| {
            if let Some(at) = others_retire_at {
                signing_key::Entity::update_many()
                    .col_expr(signing_key::Column::RetiresAt, Expr::value(at))
                    .filter(expires_after(signing_key::Column::RetiresAt, at))
                    .exec(transaction)
                    .await?;
            }
            row_of(key).insert(transaction).await?;
            Ok(())
        })
    }

    /// Adds a signing key if there is none at all. Replicas that start together end with one.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn ensure_first_signing_key(&self, key: &SigningKeyRecord) -> Result<(), StoreError> {
        in_transaction!(self, |transaction| {
            self.advisory_lock(transaction, AdvisoryLock::FirstSigningKey).await?;
            if signing_key::Entity::find().count(transaction).await? == 0 {
                row_of(key).insert(transaction).await?;
            }
            Ok(())
        })
    }

    /// Stores a sealed secret unless there is one of this name, and returns the stored one: the caller's own, or that
    /// of a replica that came first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn ensure_secret(&self, name: &str, sealed: Vec<u8>, now: DateTime<Utc>) -> Result<Vec<u8>, StoreError> {
        let row = secret::Model { name: name.to_owned(), sealed, created_at: now }.into_active_model();
        secret::Entity::insert(row)
            .on_conflict(OnConflict::column(secret::Column::Name).do_nothing().to_owned())
            .try_insert()
            .exec_without_returning(&self.write())
            .await?;
        let stored = secret::Entity::find_by_id(name).one(&self.read()).await?;
        stored.map(|row| row.sealed).ok_or_else(|| StoreError::corrupt("the table of secrets"))
    }

    /// The sealed secret of this name, if there is one.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(secret::Entity::find_by_id(name).one(&self.read()).await?.map(|row| row.sealed))
    }

    /// Stores a sealed secret, or gives the stored one of this name the time `now`; returns the stored one.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn renew_secret(&self, name: &str, sealed: Vec<u8>, now: DateTime<Utc>) -> Result<Vec<u8>, StoreError> {
        let row = secret::Model { name: name.to_owned(), sealed, created_at: now }.into_active_model();
        let renewal = OnConflict::column(secret::Column::Name).update_column(secret::Column::CreatedAt).to_owned();
        secret::Entity::insert(row).on_conflict(renewal).exec_without_returning(&self.write()).await?;
        self.find_secret(name).await?.ok_or_else(|| StoreError::corrupt("the table of secrets"))
    }

    /// Removes the secret of this name if it still has this time; whether it did.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn remove_secret(&self, name: &str, created_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let removed = secret::Entity::delete_by_id(name).filter(secret::Column::CreatedAt.eq(created_at));
        Ok(removed.exec(&self.write()).await?.rows_affected > 0)
    }

    /// The names of all secrets, and when each was made or renewed.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_secrets(&self) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let rows = secret::Entity::find().order_by_asc(secret::Column::Name).all(&self.read()).await?;
        Ok(rows.into_iter().map(|row| (row.name, row.created_at)).collect())
    }
}

fn row_of(key: &SigningKeyRecord) -> signing_key::ActiveModel {
    let row = signing_key::Model {
        kid: key.kid.clone(),
        public_key: key.public_key.clone(),
        sealed_private_key: key.sealed_private_key.clone(),
        created_at: key.created_at,
        signs_from: key.signs_from,
        retires_at: key.retires_at,
    };
    row.into_active_model()
}

impl From<signing_key::Model> for SigningKeyRecord {
    fn from(row: signing_key::Model) -> Self {
        Self {
            kid: row.kid,
            public_key: row.public_key,
            sealed_private_key: row.sealed_private_key,
            created_at: row.created_at,
            signs_from: row.signs_from,
            retires_at: row.retires_at,
        }
    }
}
