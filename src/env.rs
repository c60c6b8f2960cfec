//! The clock, identifiers and random bytes, as a parameter.
//!
//! No other code reads the wall clock, creates identifiers or draws random bytes (`clippy.toml` forbids it), so that tests
//! can move the clock instead of sleeping.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// The source of the time, of identifiers and of random bytes.
pub trait Env: Send + Sync + 'static {
    /// The time now in UTC, truncated to microseconds: the precision of both database engines.
    fn now(&self) -> DateTime<Utc>;

    /// A new identifier: a UUID of version 7, so that rows created in sequence are stored in sequence.
    fn new_id(&self) -> Uuid;

    /// A new identifier of the millisecond of `at`: of rows that are listed by the time of their creation in the order of
    /// their identifiers.
    fn new_id_at(&self, at: DateTime<Utc>) -> Uuid {
        let mut random = [0; 10];
        self.fill_random(&mut random);
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// Fills `buffer` with cryptographically secure random bytes.
    fn fill_random(&self, buffer: &mut [u8]);
}

/// The environment as the parts of the service share it.
pub type SharedEnv = Arc<dyn Env>;

/// The machine's own clock and random generator.
#[derive(Debug)]
pub struct SystemEnv {
    random: SystemRandom,
}

impl Default for SystemEnv {
    fn default() -> Self {
        Self { random: SystemRandom::new() }
    }
}

impl Env for SystemEnv {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that creates identifiers")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        // The generator fails only if the kernel has no getrandom; a service without random keys must stop.
        self.random.fill(buffer).expect("the operating system provides random bytes");
    }
}

/// A clock that moves only when a test moves it. Identifiers and random bytes are the system's.
#[derive(Debug)]
pub struct MockClock {
    now: Mutex<DateTime<Utc>>,
    system: SystemEnv,
}

impl MockClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now.trunc_subsecs(6)), system: SystemEnv::default() }
    }

    /// Moves the clock forward (or, with a negative `by`, back).
    pub fn advance(&self, by: TimeDelta) {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
    }
}

impl Env for MockClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn new_id(&self) -> Uuid {
        self.system.new_id()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.system.fill_random(buffer);
    }
}
