//! The master keys in use: which of them sealed data, what each still seals, and sealing that again under the active key.
//!
//! Every process keeps a marker of its active key in the database, sealed under that key. While there is a marker, no
//! process starts without its key. The marker of an old key goes when the key seals nothing and no process has renewed the
//! marker for [`IDLE_AFTER`].

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use strum::IntoEnumIterator as _;
use tokio::time::Instant;

use crate::auth::signing_key_name;
use crate::env::Env;
use crate::store::{Resealed, SealedColumn, SealedRow, SealedValue, Store, StoreError};
use crate::vault::{Owner, Vault, VaultError};
use crate::webhook::sealing;

/// The prefix of a marker's name; the key's id follows.
const MARKER: &str = "master-key/";
/// How often a process renews the marker of its active key.
pub const RENEWAL: Duration = Duration::from_secs(30);
/// A key whose marker is older is active in no process.
pub const IDLE_AFTER: TimeDelta = TimeDelta::minutes(2);
/// Values of one statement.
const BATCH: u64 = 500;
/// Passes over everything: the first seals again, the last finds nothing. More are needed only while a process goes on
/// sealing under an old key.
const PASSES: usize = 4;

/// A master key that sealed data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKeyRecord {
    /// Its id.
    pub id: String,
    /// When a process last said that it is active there.
    pub active_at: DateTime<Utc>,
}

/// How many values each master key seals, by its id and the column.
pub type Usage = BTreeMap<String, BTreeMap<&'static str, u64>>;

/// How far sealing again has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Values that were read.
    pub read: u64,
    /// Values that are sealed under the active key now and were not before.
    pub resealed: u64,
    /// Values that do not open; the log names their rows.
    pub unreadable: u64,
}

/// The result of sealing everything again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// What was done.
    pub progress: Progress,
    /// Old keys that seal nothing any more and may leave the ring.
    pub removable: Vec<String>,
    /// Old keys that must stay, since a process used them as its active key lately or values under them remain.
    pub needed: Vec<String>,
}

/// The name of the marker of a key.
#[must_use]
pub fn marker(id: &str) -> String {
    format!("{MARKER}{id}")
}

/// The keys that sealed data.
///
/// # Errors
/// `Unavailable` without the database.
pub async fn registered(store: &Store) -> Result<Vec<MasterKeyRecord>, StoreError> {
    let secrets = store.list_secrets().await?;
    let record = |(name, at): (String, _)| {
        name.strip_prefix(MARKER).map(|id| MasterKeyRecord { id: id.to_owned(), active_at: at })
    };
    Ok(secrets.into_iter().filter_map(record).collect())
}

/// Writes or renews the marker of the active key; returns the stored one, which is that of the first process.
///
/// # Errors
/// `Unavailable` without the database.
pub async fn register(store: &Store, vault: &Vault, env: &dyn Env) -> Result<Vec<u8>, StoreError> {
    let name = marker(vault.active_key_id());
    store.renew_secret(&name, vault.seal_secret(&name, &[]), env.now()).await
}

/// What every key still seals.
///
/// # Errors
/// `Unavailable` without the database.
pub async fn usage(store: &Store) -> Result<Usage, StoreError> {
    let mut usage = Usage::new();
    for column in SealedColumn::iter() {
        let mut pages = Pages::of(column);
        while let Some(values) = pages.next(store).await? {
            for value in &values {
                let id = Vault::master_key_of(&value.sealed).unwrap_or("(unreadable)");
                *usage.entry(id.to_owned()).or_default().entry(column.into()).or_default() += 1;
            }
        }
    }
    Ok(usage)
}

/// Seals everything under the active key, in small transactions beside the service, and removes the markers of keys that
/// are not needed any more. Stopping it at any time loses nothing, and the next run goes on. `report` is called after every
/// batch.
///
/// # Errors
/// `Unavailable` without the database; what was done stays done.
pub async fn rotate(
    store: &Store,
    vault: &Vault,
    env: &dyn Env,
    mut report: impl FnMut(SealedColumn, Progress),
) -> Result<Rotation, StoreError> {
    register(store, vault, env).await?;
    let mut rotation = Rotation::default();
    let mut clean = false;
    // Who is active under an old key may seal while we read: its marker is judged as of the beginning of the last pass.
    let mut known = Vec::new();
    for _ in 0..PASSES {
        known = registered(store).await?;
        let pass = reseal_all(store, vault, &mut report).await?;
        rotation.progress.read = pass.read;
        rotation.progress.resealed += pass.resealed;
        rotation.progress.unreadable = pass.unreadable;
        clean = pass.resealed == 0 && pass.unreadable == 0;
        if pass.resealed == 0 {
            break;
        }
    }
    for key in known.into_iter().filter(|key| key.id != vault.active_key_id()) {
        let is_idle = key.active_at + IDLE_AFTER < env.now();
        let removed = clean && is_idle && store.remove_secret(&marker(&key.id), key.active_at).await?;
        if removed { rotation.removable.push(key.id) } else { rotation.needed.push(key.id) }
    }
    Ok(rotation)
}

async fn reseal_all(
    store: &Store,
    vault: &Vault,
    report: &mut impl FnMut(SealedColumn, Progress),
) -> Result<Progress, StoreError> {
    let mut total = Progress::default();
    for column in SealedColumn::iter() {
        let mut pages = Pages::of(column);
        while let Some(values) = pages.next(store).await? {
            let begun = Instant::now();
            total.read += values.len() as u64;
            let mut resealed = Vec::with_capacity(values.len());
            for value in values {
                match reseal(vault, column, &value) {
                    Ok(None) => {}
                    Ok(Some(sealed)) => resealed.push(Resealed { before: value, sealed }),
                    Err(error) => {
                        total.unreadable += 1;
                        tracing::error!(column = <&str>::from(column), row = ?value.row, %error, "a value does not open");
                    }
                }
            }
            let changed = !resealed.is_empty();
            total.resealed += store.reseal(column, &resealed).await?;
            report(column, total);
            if changed {
                // The writers of the service come between two batches.
                tokio::time::sleep(begun.elapsed() / 4).await;
            }
        }
    }
    Ok(total)
}

fn reseal(vault: &Vault, column: SealedColumn, value: &SealedValue) -> Result<Option<Vec<u8>>, VaultError> {
    let secret = |name: String| vault.rewrap_secret(&name, &value.sealed);
    match (column, &value.row) {
        (SealedColumn::UserKeys, SealedRow::OfClient(client_id, user_id)) => {
            vault.rewrap_data_key(Owner { client_id: *client_id, user_id: *user_id }, &value.sealed)
        }
        (SealedColumn::Secrets, SealedRow::Name(name)) => secret(name.clone()),
        (SealedColumn::SigningKeys, SealedRow::Name(kid)) => secret(signing_key_name(kid)),
        (SealedColumn::WebhookUrls, SealedRow::OfClient(client, id)) => secret(sealing::url_name(*client, *id)),
        (SealedColumn::WebhookSecrets | SealedColumn::WebhookPreviousSecrets, SealedRow::OfClient(_, id)) => {
            secret(sealing::secret_name(*id))
        }
        (SealedColumn::WebhookBodies, SealedRow::OfClient(_, id)) => secret(sealing::body_name(*id)),
        (SealedColumn::WebhookAnswers, SealedRow::Numbered(_, id, _)) => secret(sealing::answer_name(*id)),
        _ => Err(VaultError::UnknownFormat),
    }
}

/// The values of a column, page by page.
struct Pages {
    column: SealedColumn,
    after: Option<SealedRow>,
    is_last: bool,
}

impl Pages {
    fn of(column: SealedColumn) -> Self {
        Self { column, after: None, is_last: false }
    }

    /// The next page without the markers, which stay under their own keys; None after the last.
    async fn next(&mut self, store: &Store) -> Result<Option<Vec<SealedValue>>, StoreError> {
        if self.is_last {
            return Ok(None);
        }
        let mut values = store.sealed_values(self.column, self.after.as_ref(), BATCH).await?;
        self.is_last = (values.len() as u64) < BATCH;
        self.after = values.last().map(|value| value.row.clone());
        values.retain(|value| !matches!(&value.row, SealedRow::Name(name) if name.starts_with(MARKER)));
        Ok(Some(values))
    }
}
