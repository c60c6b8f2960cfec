//! Time and chance as parameters.
//!
//! Nothing else in the service reads the wall clock, makes an identifier or draws random bytes (`clippy.toml` forbids
//! it), so that tests can move the clock instead of sleeping.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// The source of the time, of identifiers and of random bytes.
pub trait Ambient: Send + Sync + 'static {
    /// The time now, in UTC, cut to microseconds: the precision that both database engines keep.
    fn now(&self) -> DateTime<Utc>;

    /// A new identifier: a UUID of version 7, so that rows made one after another lie beside each other.
    fn new_id(&self) -> Uuid;

    /// Fills `buffer` with random bytes fit for keys.
    fn fill_random(&self, buffer: &mut [u8]);
}

/// What every part of the service holds.
pub type SharedAmbient = Arc<dyn Ambient>;

/// The machine's own clock and random generator.
#[derive(Debug)]
pub struct System {
    random: SystemRandom,
}

impl Default for System {
    fn default() -> Self {
        Self { random: SystemRandom::new() }
    }
}

impl Ambient for System {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that makes identifiers")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        // The generator fails only where the kernel has no getrandom at all; a service that cannot draw keys must stop.
        self.random.fill(buffer).expect("the operating system provides random bytes");
    }
}

/// A clock that stands still until it is moved; identifiers and random bytes stay the system's.
#[derive(Debug)]
pub struct MovableClock {
    now: Mutex<DateTime<Utc>>,
    system: System,
}

impl MovableClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now.trunc_subsecs(6)), system: System::default() }
    }

    /// Moves the clock forward (or, with a negative `by`, back).
    pub fn advance(&self, by: TimeDelta) {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
    }
}

impl Ambient for MovableClock {
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
