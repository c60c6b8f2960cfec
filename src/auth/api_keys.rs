//! Checks API keys without a database read for every request.
//!
//! The token has named the client by then. So the client is cached with all its keys, and an invented key costs no read
//! of its own.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::future::Cache;
use uuid::Uuid;

use super::directory::{ClientKeys, Directory};
use super::{AuthError, Caller};
use crate::env::SharedEnv;

/// Lifetime of a cached client, so that every replica rejects a disabled client within five seconds.
const WINDOW_MILLISECONDS: i64 = 4_000;

/// Lifetime of a negative result: a new key is valid on every replica within a second, and unknown keys cost one read a
/// second for each client.
const SEARCH_MILLISECONDS: i64 = 1_000;

/// Cached clients, about two hundred bytes each.
const MAX_ENTRIES: u64 = 100_000;

/// Clients and their API keys, as the directory knew them at most four seconds ago.
pub(super) struct ApiKeys {
    directory: Arc<dyn Directory>,
    env: SharedEnv,
    /// By client and window of time: a new window is a new entry, so an old result cannot be found again, and
    /// concurrent callers wait for one read.
    clients: Cache<(Uuid, Window), Option<Arc<Known>>>,
}

/// A time window in which one result is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Window {
    /// For known keys.
    Known(i64),
    /// For unknown keys.
    Search(i64),
}

struct Known {
    caller: Caller,
    /// Digest and end of each.
    keys: Vec<([u8; 32], Option<DateTime<Utc>>)>,
}

impl Known {
    /// Whether the key is valid now; none if the client has no such key.
    fn is_good(&self, digest: &[u8; 32], now: DateTime<Utc>) -> Option<bool> {
        let (_, expires_at) = self.keys.iter().find(|(known, _)| known == digest)?;
        Some(expires_at.is_none_or(|at| now < at))
    }
}

impl ApiKeys {
    pub(super) fn new(directory: Arc<dyn Directory>, env: SharedEnv) -> Self {
        // The time to live only frees memory; the window decides.
        let life = Duration::from_millis(2 * WINDOW_MILLISECONDS.unsigned_abs());
        let clients = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(life).build();
        Self { directory, env, clients }
    }

    /// The client, if the key with this digest is its own and valid now.
    pub(super) async fn owner(&self, client_id: Uuid, digest: &[u8; 32]) -> Result<Caller, AuthError> {
        let now = self.env.now();
        let known = Window::Known(window(client_id, now, WINDOW_MILLISECONDS));
        let search = Window::Search(window(client_id, now, SEARCH_MILLISECONDS));
        for window in [known, search] {
            let found = self.clients.try_get_with((client_id, window), self.read(client_id)).await;
            let Some(known) = found.map_err(|error| *error)? else { continue };
            if let Some(is_good) = known.is_good(digest, now) {
                return if is_good { Ok(known.caller) } else { Err(AuthError::InvalidApiKey) };
            }
        }
        Err(AuthError::InvalidApiKey)
    }

    /// The client with its keys; none if there is no such client, or it is disabled.
    async fn read(&self, client_id: Uuid) -> Result<Option<Arc<Known>>, AuthError> {
        let Some(ClientKeys { role, is_disabled: false, keys }) = self.directory.client_keys(client_id).await? else {
            return Ok(None);
        };
        let role = role.parse().map_err(|error| {
            tracing::error!(%client_id, %error, "a client has an unknown role");
            AuthError::Internal
        })?;
        Ok(Some(Arc::new(Known { caller: Caller { client_id, role }, keys })))
    }
}

/// The number of the window of this length that `now` is in; each client's windows begin at another moment, so that the
/// reads of many clients spread out.
fn window(client_id: Uuid, now: DateTime<Utc>, milliseconds: i64) -> i64 {
    let [.., high, low] = *client_id.as_bytes();
    let offset = i64::from(u16::from_be_bytes([high, low])) % milliseconds;
    (now.timestamp_millis() + offset).div_euclid(milliseconds)
}
