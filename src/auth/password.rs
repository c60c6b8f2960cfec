//! Hashing of client passwords: argon2id, off the async threads, on half of the cores at most.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::AuthError;
use crate::ambient::Ambient;

/// A hash that no password has, with the costs of a real one: checked where there is nothing to check, so that the
/// time of an answer does not tell whether an API key and a client id belong together.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// How many may wait for their turn; at some 20 ms each the last waits for about a second.
const MAX_WAITING: usize = 64;

/// Hashes and checks passwords.
#[derive(Clone)]
pub(super) struct Passwords {
    /// A flood of `POST /auth` waits here, in order, instead of taking all processors and 19 MiB each.
    permits: Arc<Semaphore>,
    /// Places in the queue, those at work included.
    places: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let at_once = Ord::max(1, cores / 2);
        Self { permits: Arc::new(Semaphore::new(at_once)), places: Arc::new(Semaphore::new(at_once + MAX_WAITING)) }
    }

    /// The hash of `password` under a new salt, as a PHC string.
    pub(super) async fn hash(&self, password: &str, ambient: &dyn Ambient) -> Result<String, AuthError> {
        let mut salt = [0; 16];
        ambient.fill_random(&mut salt);
        let password = Zeroizing::new(password.to_owned());
        self.run(move || {
            let hash: PasswordHash = Argon2::default()
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map_err(|error| internal(&error))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one behind `hash`; without a hash the same work is done, and the answer is no.
    pub(super) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, AuthError> {
        let password = Zeroizing::new(password.to_owned());
        self.run(move || {
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS)).map_err(|error| internal(&error))?;
            let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(matches && hash.is_some())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!("too many passwords wait to be checked");
            return Err(AuthError::Unavailable);
        };
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| internal(&error))?;
        let task = tokio::task::spawn_blocking(move || {
            // Held by the work, not by the request: the work goes on when its caller has gone away.
            let _held = (permit, place);
            work()
        });
        task.await.map_err(|error| internal(&error))?
    }
}

fn internal(error: &dyn std::fmt::Display) -> AuthError {
    tracing::error!(%error, "hashing a password failed");
    AuthError::Internal
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;

    use futures_util::FutureExt;

    use super::{AuthError, MAX_WAITING, NOBODYS, Passwords};
    use crate::ambient::System;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_alone() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct", &System::default()).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$"));
        assert_eq!(passwords.verify("correct", Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify("wrong", Some(hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn without_a_hash_no_password_verifies() {
        assert_eq!(Passwords::new().verify("", None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_instead_of_waiting_for_ever() {
        let passwords = Passwords::new();
        let at_once = passwords.permits.available_permits();
        let _held = passwords.permits.acquire_many(u32::try_from(at_once).expect("few")).await.expect("open");
        let mut waiting: Vec<_> = (0..at_once + MAX_WAITING).map(|_| Box::pin(passwords.verify("any", None))).collect();
        for wait in &mut waiting {
            assert!(wait.now_or_never().is_none());
        }
        assert_eq!(passwords.verify("any", None).await, Err(AuthError::Unavailable));
    }

    #[tokio::test]
    async fn checking_nothing_costs_what_checking_a_hash_costs() {
        let real = Passwords::new().hash("any", &System::default()).await.expect("hashes");
        let (real, dummy) = (PasswordHash::new(&real).expect("parses"), PasswordHash::new(NOBODYS).expect("parses"));
        assert_eq!((real.algorithm, real.version, real.params), (dummy.algorithm, dummy.version, dummy.params));
    }
}
