//! Whose API key it is, without asking the database at every request.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::future::Cache;

use super::directory::Directory;
use super::{AuthError, Caller};
use crate::ambient::SharedAmbient;

/// No answer is used longer than this, so that a disabled client is refused on every replica within five seconds.
const WINDOW_MILLISECONDS: i64 = 4_000;

/// Of about a hundred bytes each.
const MAX_ENTRIES: u64 = 100_000;

/// The owners of API keys, as the directory knew them at most four seconds ago.
pub(super) struct ApiKeys {
    directory: Arc<dyn Directory>,
    ambient: SharedAmbient,
    /// By digest and window of time: a new window is a new entry, so an old answer cannot be found again, and those
    /// who ask at the same moment wait for one read.
    owners: Cache<([u8; 32], i64), Owner>,
}

#[derive(Clone, Copy)]
struct Owner {
    caller: Caller,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy)]
enum Miss {
    /// Nobody's, or a disabled client's. Not remembered: strangers could fill the cache with such.
    Refused,
    Failed(AuthError),
}

impl ApiKeys {
    pub(super) fn new(directory: Arc<dyn Directory>, ambient: SharedAmbient) -> Self {
        // The life by the machine's clock only frees memory; what counts is the window.
        let life = Duration::from_millis(2 * WINDOW_MILLISECONDS.unsigned_abs());
        let owners = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(life).build();
        Self { directory, ambient, owners }
    }

    /// The client that the key belongs to, if the key is good now.
    pub(super) async fn owner(&self, digest: [u8; 32]) -> Result<Caller, AuthError> {
        let now = self.ambient.now();
        let found = self.owners.try_get_with((digest, window(&digest, now)), self.read(digest)).await;
        match found.map_err(|miss| *miss) {
            Ok(owner) if owner.expires_at.is_none_or(|at| now < at) => Ok(owner.caller),
            Ok(_) | Err(Miss::Refused) => Err(AuthError::InvalidApiKey),
            Err(Miss::Failed(error)) => Err(error),
        }
    }

    async fn read(&self, digest: [u8; 32]) -> Result<Owner, Miss> {
        match self.directory.client_by_api_key(&digest).await {
            Ok(Some(owner)) if owner.client_disabled_at.is_none() => {
                let role = owner.role.parse().map_err(|error| {
                    tracing::error!(client_id = %owner.client_id, %error, "a client has an unknown role");
                    Miss::Failed(AuthError::Internal)
                })?;
                Ok(Owner { caller: Caller { client_id: owner.client_id, role }, expires_at: owner.expires_at })
            }
            Ok(_) => Err(Miss::Refused),
            Err(error) => Err(Miss::Failed(error.into())),
        }
    }
}

/// The number of the window that `now` is in; each key's windows begin at another moment, so that the reads of many
/// clients spread out.
fn window(digest: &[u8; 32], now: DateTime<Utc>) -> i64 {
    let offset = i64::from(u16::from_be_bytes([digest[0], digest[1]])) % WINDOW_MILLISECONDS;
    (now.timestamp_millis() + offset).div_euclid(WINDOW_MILLISECONDS)
}
