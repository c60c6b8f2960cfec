//! Hashing of client passwords: argon2id, off the async threads, on all cores but one.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::AuthError;
use super::fair_queue::FairQueue;
use crate::env::Env;

/// A hash that no password has, with the costs of a real one: checked if there is no hash, so that the response time
/// does not reveal whether an API key and a client id belong together.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Logins of one client that may wait; at some 20 ms each the last waits for a third of a second.
const MAX_WAITING: usize = 16;

/// Hashes and checks passwords.
#[derive(Clone)]
pub(super) struct Passwords {
    /// Logins wait here, each behind those of its own client: a flood does not take all processors and 19 MiB for each.
    queue: FairQueue,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { queue: FairQueue::new(Ord::max(1, cores - 1), MAX_WAITING) }
    }

    /// The hash of a client's `password` under a new salt, as a PHC string.
    pub(super) async fn hash(&self, client_id: Uuid, password: &str, env: &dyn Env) -> Result<String, AuthError> {
        let mut salt = [0; 16];
        env.fill_random(&mut salt);
        let password = Zeroizing::new(password.to_owned());
        self.run(client_id, move || {
            let hash: PasswordHash = Argon2::default()
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map_err(|error| internal(&error))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` matches `hash`; without a hash it does the same work and returns false. It waits among the work
    /// of the client `client_id`, the owner of the API key.
    pub(super) async fn verify(
        &self,
        client_id: Uuid,
        password: &str,
        hash: Option<String>,
    ) -> Result<bool, AuthError> {
        let password = Zeroizing::new(password.to_owned());
        self.run(client_id, move || {
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(DUMMY_HASH)).map_err(|error| internal(&error))?;
            let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(matches && hash.is_some())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        client_id: Uuid,
        work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let Ok(turn) = self.queue.turn(client_id).await else {
            tracing::debug!(client = %client_id, "too many logins of one client wait");
            return Err(AuthError::Unavailable);
        };
        let task = tokio::task::spawn_blocking(move || {
            // Held by the work, not by the request: the work continues after its caller has disconnected.
            let _turn = turn;
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

    use super::{AuthError, DUMMY_HASH, Passwords};
    use crate::env::SystemEnv;
    use uuid::Uuid;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_alone() {
        let passwords = Passwords::new();
        let hash = passwords.hash(Uuid::nil(), "correct", &SystemEnv::default()).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$"));
        assert_eq!(passwords.verify(Uuid::nil(), "correct", Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify(Uuid::nil(), "wrong", Some(hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn without_a_hash_no_password_verifies() {
        assert_eq!(Passwords::new().verify(Uuid::nil(), "", None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_flood_of_one_client_is_refused_and_another_client_is_served() {
        let passwords = Passwords::new();
        let (flooding, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let flood = (0..100).map(|_| passwords.verify(flooding, "wrong", None));
        let flood = futures_util::future::join_all(flood);
        let hash = passwords.hash(other, "right", &SystemEnv::default()).await.expect("hashes");
        let (flood, login) = tokio::join!(flood, passwords.verify(other, "right", Some(hash)));
        assert_eq!(login, Ok(true));
        let refused = flood.iter().filter(|outcome| **outcome == Err(AuthError::Unavailable)).count();
        assert!((60..100).contains(&refused), "{refused}");
    }

    #[tokio::test]
    async fn checking_nothing_costs_what_checking_a_hash_costs() {
        let real = Passwords::new().hash(Uuid::nil(), "any", &SystemEnv::default()).await.expect("hashes");
        let (real, dummy) = (PasswordHash::new(&real).expect("parses"), PasswordHash::new(DUMMY_HASH).expect("parses"));
        assert_eq!((real.algorithm, real.version, real.params), (dummy.algorithm, dummy.version, dummy.params));
    }
}
