//! A circuit breaker: a provider that is down is left alone for a while, and the jobs stay queued.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// How long it stays open before one job tries again.
const OPEN_FOR: TimeDelta = TimeDelta::seconds(30);

/// The circuit of one provider.
#[derive(Debug, Default)]
pub struct Circuit {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    failures: u32,
    /// None: closed.
    open_until: Option<DateTime<Utc>>,
}

/// How many jobs may be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Any number: the provider works.
    All,
    /// One, to see whether the provider works again.
    One,
    /// None: the provider is down.
    None,
}

impl Permit {
    /// For operators.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "closed",
            Self::One => "half-open",
            Self::None => "open",
        }
    }
}

impl Circuit {
    /// How many jobs may be taken up now.
    pub fn permit(&self, now: DateTime<Utc>) -> Permit {
        match self.state.lock().unwrap_or_else(PoisonError::into_inner).open_until {
            None => Permit::All,
            Some(until) if until <= now => Permit::One,
            Some(_) => Permit::None,
        }
    }

    /// The provider answered.
    pub fn succeeded(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// The provider did not answer. True where this opens the circuit anew.
    pub fn failed(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        // Those that were under way when it opened do not keep it open for longer.
        let opens = state.failures >= FAILURES && state.open_until.is_none_or(|until| until <= now);
        if opens {
            state.open_until = Some(now + OPEN_FOR);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_after_a_while_one_job_tries() {
        let circuit = Circuit::default();
        let now = DateTime::UNIX_EPOCH;
        for _ in 1..FAILURES {
            assert!(!circuit.failed(now));
        }
        assert_eq!(circuit.permit(now), Permit::All);
        assert!(circuit.failed(now));
        assert_eq!(circuit.permit(now), Permit::None);
        assert!(!circuit.failed(now), "it is open already");
        let later = now + OPEN_FOR;
        assert_eq!(circuit.permit(later), Permit::One);
        assert!(circuit.failed(later), "the trial failed");
        assert_eq!(circuit.permit(later), Permit::None);
        circuit.succeeded();
        assert_eq!(circuit.permit(later), Permit::All);
    }

    #[test]
    fn a_success_ends_the_row() {
        let circuit = Circuit::default();
        let now = DateTime::UNIX_EPOCH;
        for _ in 0..FAILURES * 2 {
            circuit.failed(now);
            circuit.succeeded();
        }
        assert_eq!(circuit.permit(now), Permit::All);
    }
}
