//! Indexing the users that have no entries of this version of the index, while the service serves: after an upgrade, those of
//! the version before, and those that a program of that version still writes.

use chrono::TimeDelta;
use uuid::Uuid;

use super::digests;
use crate::env::Env;
use crate::service::users::open_profile;
use crate::store::{INDEX_VERSION, IndexPass, Store, StoreError};
use crate::vault::{BlindIndex, Vault};

/// How many users one step looks at.
const PAGE: u64 = 500;
/// How many old entries one step deletes.
const PRUNED: u64 = 1_000;
/// How often a user that changes meanwhile is read again.
const TRIES: usize = 8;
/// How often all users are looked at again. By then a program of another version that still ran has ended.
const AGAIN: TimeDelta = TimeDelta::days(1);

/// What indexing needs.
#[derive(Clone, Debug)]
pub struct Rebuild {
    /// The database.
    pub store: Store,
    /// Opens profiles.
    pub vault: Vault,
    /// Digests.
    pub index: BlindIndex,
}

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Users that have entries now.
    pub indexed: u64,
    /// Users that were not indexed: their rows cannot be opened. The next pass tries again.
    pub left: u64,
    /// Entries of earlier versions that were deleted.
    pub pruned: u64,
    /// Whether a pass is at its end.
    pub is_done: bool,
}

impl Rebuild {
    /// Goes on with the pass, up to `pages` pages of users. Progress is recorded after each page: a stopped pass goes on
    /// from there. Users may change meanwhile.
    ///
    /// # Errors
    /// `Unavailable` without the database; the next call goes on.
    pub async fn run(&self, env: &dyn Env, pages: usize) -> Result<Rebuilt, StoreError> {
        let mut rebuilt = Rebuilt::default();
        let Some(mut pass) = self.pass(env).await? else { return Ok(Rebuilt { is_done: true, ..rebuilt }) };
        let mut clients: Vec<_> = self.store.list_clients().await?.into_iter().map(|client| client.id).collect();
        clients.sort_unstable();
        for _ in 0..pages {
            let Some(client_id) = clients.iter().copied().find(|id| *id >= pass.client_id) else {
                return self.end(env, pass, &clients, rebuilt).await;
            };
            if client_id != pass.client_id {
                (pass.client_id, pass.user_id) = (client_id, Uuid::nil());
            }
            let users = self.store.index_versions_after(client_id, pass.user_id, PAGE).await?;
            for (id, _) in users.iter().filter(|(_, is_indexed)| !is_indexed) {
                if self.index(client_id, *id).await? {
                    rebuilt.indexed += 1;
                } else {
                    rebuilt.left += 1;
                }
                pass.indexed += 1;
            }
            match users.last() {
                Some((last, _)) => pass.user_id = *last,
                // The client after this one.
                None => (pass.client_id, pass.user_id) = (following(client_id), Uuid::nil()),
            }
            self.store.save_index_pass(&pass).await?;
        }
        Ok(rebuilt)
    }

    /// The pass to go on with; none where the last one is at its end and it is not time for another.
    async fn pass(&self, env: &dyn Env) -> Result<Option<IndexPass>, StoreError> {
        let now = env.now();
        let new = |first_at| IndexPass {
            client_id: Uuid::nil(),
            user_id: Uuid::nil(),
            indexed: 0,
            first_at,
            began_at: now,
            ended_at: None,
        };
        Ok(match self.store.index_pass().await? {
            None => Some(new(now)),
            Some(pass) if pass.ended_at.is_none() => Some(pass),
            Some(pass) if pass.began_at + AGAIN <= now => Some(new(pass.first_at)),
            Some(_) => None,
        })
    }

    /// Ends a pass. Where it has found nothing, long after the first, no program reads earlier versions any more.
    async fn end(
        &self,
        env: &dyn Env,
        pass: IndexPass,
        clients: &[Uuid],
        mut rebuilt: Rebuilt,
    ) -> Result<Rebuilt, StoreError> {
        if pass.indexed == 0 && pass.first_at + AGAIN <= pass.began_at {
            for client_id in clients {
                loop {
                    let pruned = self.store.prune_index(*client_id, PRUNED).await?;
                    rebuilt.pruned += pruned;
                    if pruned < PRUNED {
                        break;
                    }
                }
            }
        }
        self.store.save_index_pass(&IndexPass { ended_at: Some(env.now()), ..pass }).await?;
        Ok(Rebuilt { is_done: true, ..rebuilt })
    }

    /// Indexes one user; false where it cannot be opened, or does not stop changing.
    async fn index(&self, client_id: Uuid, id: Uuid) -> Result<bool, StoreError> {
        for _ in 0..TRIES {
            let Some(mut row) = self.store.find_user(client_id, id).await? else { return Ok(true) };
            if row.index_version == INDEX_VERSION {
                return Ok(true);
            }
            let Ok((_, profile)) = open_profile(&self.vault, &mut row) else {
                tracing::error!(user = %id, "a user that does not open is not indexed");
                return Ok(false);
            };
            let digests: Vec<_> = digests(&self.index, client_id, &profile).into_iter().collect();
            if self.store.index_user(&row, &digests).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The id after this one.
fn following(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_add(1))
}
