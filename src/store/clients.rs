//! Clients and their credentials.

use chrono::{DateTime, Utc};
use entity::{client, client_credential, watermark};
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};
use tracing::instrument;
use uuid::Uuid;

use super::schema::AdvisoryLock;
use super::{Batch, Store, StoreError, WriteError, in_transaction};

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// Identifier.
    pub id: Uuid,
    /// What the operator calls it.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was disabled.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// A password and an API key of a client, hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// Identifier.
    pub id: Uuid,
    /// The client it belongs to.
    pub client_id: Uuid,
    /// The password as a PHC string.
    pub password_hash: String,
    /// Keyed digest of the API key.
    pub api_key_digest: [u8; 32],
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for CredentialRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CredentialRecord")
            .field("id", &self.id)
            .field("client_id", &self.client_id)
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The owner of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyOwner {
    /// The client.
    pub client_id: Uuid,
    /// What the client may do.
    pub role: String,
    /// When the client was disabled.
    pub client_disabled_at: Option<DateTime<Utc>>,
    /// The credential the key belongs to.
    pub credential_id: Uuid,
    /// When the key expires.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Adds a client with its first credential.
    ///
    /// # Errors
    /// `Internal` if either exists; `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn insert_client(&self, client: &ClientRecord, credential: &CredentialRecord) -> Result<(), StoreError> {
        let rows = Batch::default().insert([client_row(client)]).insert([credential_row(credential)]);
        self.write_batch(rows).await.map_err(|error| match error {
            WriteError::Conflict(error) | WriteError::Failed(error) => error,
        })
    }

    /// Adds a client with its first credential if there is no client yet, and sets a watermark. False: there is one, and
    /// nothing was written. Of concurrent processes one gets true.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn insert_first_client(
        &self,
        client: &ClientRecord,
        credential: &CredentialRecord,
        mark: &str,
    ) -> Result<bool, StoreError> {
        in_transaction!(self, |transaction| {
            self.advisory_lock(transaction, AdvisoryLock::FirstClient).await?;
            if client::Entity::find().count(transaction).await? > 0 {
                return Ok(false);
            }
            client_row(client).insert(transaction).await?;
            credential_row(credential).insert(transaction).await?;
            let mark = watermark::Model { name: mark.to_owned(), reached: client.created_at };
            mark.into_active_model().insert(transaction).await?;
            Ok(true)
        })
    }

    /// All clients, oldest first.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn list_clients(&self) -> Result<Vec<ClientRecord>, StoreError> {
        let order = client::Entity::find().order_by_asc(client::Column::CreatedAt).order_by_asc(client::Column::Id);
        Ok(order.all(&self.read()).await?.into_iter().map(ClientRecord::from).collect())
    }

    /// One client.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn find_client(&self, id: Uuid) -> Result<Option<ClientRecord>, StoreError> {
        Ok(client::Entity::find_by_id(id).one(&self.read()).await?.map(ClientRecord::from))
    }

    /// The owner of an API key, in one query. Whether it is disabled or expired is for the caller to judge.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn client_by_api_key(&self, digest: &[u8; 32]) -> Result<Option<ApiKeyOwner>, StoreError> {
        type Row = (Uuid, String, Option<DateTime<Utc>>, Uuid, Option<DateTime<Utc>>);
        let row: Option<Row> = client_credential::Entity::find()
            .select_only()
            .column(client_credential::Column::ClientId)
            .columns([client::Column::Role, client::Column::DisabledAt])
            .columns([client_credential::Column::Id, client_credential::Column::ExpiresAt])
            .inner_join(client::Entity)
            .filter(client_credential::Column::ApiKeyDigest.eq(digest.as_slice()))
            .into_tuple()
            .one(&self.read())
            .await?;
        Ok(row.map(|(client_id, role, client_disabled_at, credential_id, expires_at)| ApiKeyOwner {
            client_id,
            role,
            client_disabled_at,
            credential_id,
            expires_at,
        }))
    }

    /// The credentials of a client, newest first, expired ones too.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn credentials_of(&self, client_id: Uuid) -> Result<Vec<CredentialRecord>, StoreError> {
        client_credential::Entity::find()
            .filter(client_credential::Column::ClientId.eq(client_id))
            .order_by_desc(client_credential::Column::CreatedAt)
            .order_by_desc(client_credential::Column::Id)
            .all(&self.read())
            .await?
            .into_iter()
            .map(CredentialRecord::try_from)
            .collect()
    }

    /// Adds a credential and lets the others of the client expire at `old_expire_at`, or earlier where they already do.
    /// False: there is no such client.
    ///
    /// # Errors
    /// `Internal` if the credential exists; `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn rotate_client(
        &self,
        client_id: Uuid,
        new: &CredentialRecord,
        old_expire_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        in_transaction!(self, |transaction| {
            // The lock lets rotations of one client pass one after another, so that only the last one's key stays.
            let client = client::Entity::find_by_id(client_id).lock_exclusive().one(transaction).await?;
            if client.is_none() {
                return Ok(false);
            }
            client_credential::Entity::update_many()
                .col_expr(client_credential::Column::ExpiresAt, Expr::value(old_expire_at))
                .filter(client_credential::Column::ClientId.eq(client_id))
                .filter(expires_after(client_credential::Column::ExpiresAt, old_expire_at))
                .exec(transaction)
                .await?;
            credential_row(new).insert(transaction).await?;
            Ok(true)
        })
    }

    /// Replaces the password of `current` and keeps its API key; `previous` holds the old password from then on. False: the
    /// credential has another password by now, or is gone, and nothing changed.
    ///
    /// # Errors
    /// `Internal` if `previous` exists; `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn replace_password(
        &self,
        current: &CredentialRecord,
        password_hash: &str,
        previous: &CredentialRecord,
    ) -> Result<bool, StoreError> {
        in_transaction!(self, |transaction| {
            let updated = client_credential::Entity::update_many()
                .col_expr(client_credential::Column::PasswordHash, Expr::value(password_hash))
                .filter(client_credential::Column::ClientId.eq(current.client_id))
                .filter(client_credential::Column::Id.eq(current.id))
                .filter(client_credential::Column::PasswordHash.eq(current.password_hash.as_str()))
                .exec(transaction)
                .await?;
            if updated.rows_affected == 0 {
                return Ok(false);
            }
            credential_row(previous).insert(transaction).await?;
            Ok(true)
        })
    }

    /// Changes the name of a client.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn rename_client(&self, id: Uuid, name: &str) -> Result<(), StoreError> {
        client::Entity::update_many()
            .col_expr(client::Column::Name, Expr::value(name))
            .filter(client::Column::Id.eq(id))
            .exec(&self.write())
            .await?;
        Ok(())
    }

    /// Disables a client from `at` on; one that is disabled already keeps its time. False: there is no such client.
    ///
    /// # Errors
    /// `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn disable_client(&self, id: Uuid, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let disabled_at = Expr::col(client::Column::DisabledAt).if_null(Expr::value(at));
        let updated = client::Entity::update_many()
            .col_expr(client::Column::DisabledAt, disabled_at)
            .filter(client::Column::Id.eq(id))
            .exec(&self.write())
            .await?;
        Ok(updated.rows_affected > 0)
    }
}

/// The column holds no time, or one after `at`.
pub(super) fn expires_after(column: impl ColumnTrait, at: DateTime<Utc>) -> sea_orm::Condition {
    sea_orm::Condition::any().add(column.is_null()).add(column.gt(at))
}

/// The ids of all clients: for an operator's statement about rows of any client, whose keys begin with it.
pub(super) fn all_clients() -> SelectStatement {
    client::Entity::find().select_only().column(client::Column::Id).into_query()
}

fn client_row(client: &ClientRecord) -> client::ActiveModel {
    let row = client::Model {
        id: client.id,
        name: client.name.clone(),
        role: client.role.clone(),
        created_at: client.created_at,
        disabled_at: client.disabled_at,
    };
    row.into_active_model()
}

fn credential_row(credential: &CredentialRecord) -> client_credential::ActiveModel {
    let row = client_credential::Model {
        id: credential.id,
        client_id: credential.client_id,
        password_hash: credential.password_hash.clone(),
        api_key_digest: credential.api_key_digest.to_vec(),
        created_at: credential.created_at,
        expires_at: credential.expires_at,
    };
    row.into_active_model()
}

impl From<client::Model> for ClientRecord {
    fn from(row: client::Model) -> Self {
        Self { id: row.id, name: row.name, role: row.role, created_at: row.created_at, disabled_at: row.disabled_at }
    }
}

impl TryFrom<client_credential::Model> for CredentialRecord {
    type Error = StoreError;

    fn try_from(row: client_credential::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            client_id: row.client_id,
            password_hash: row.password_hash,
            api_key_digest: row.api_key_digest.try_into().map_err(|_| StoreError::corrupt("an API key's digest"))?,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}
