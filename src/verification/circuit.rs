//! A circuit breaker: a provider that is down gets no calls for a while, and the jobs stay queued.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// How long it stays open before one job tries again.
const OPEN_FOR: TimeDelta = TimeDelta::seconds(30);

/// The circuit of one provider. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Circuit {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    failures: u32,
    /// None: closed.
    open_until: Option<DateTime<Utc>>,
    /// Whether a half-open probe is in flight.
    probing: bool,
}

/// How many jobs may be claimed.
#[derive(Debug)]
pub enum Permit {
    /// Any number: the provider works.
    All,
    /// One, to probe whether the provider works again.
    One(HalfOpenProbe),
    /// None: the provider is down, or a probe is in flight.
    None,
}

/// The one job that probes a provider. Until it is dropped there is no other; a probe that ends without a result
/// permits the next one.
#[derive(Debug)]
pub struct HalfOpenProbe(Circuit);

impl Drop for HalfOpenProbe {
    fn drop(&mut self) {
        self.0.state().probing = false;
    }
}

impl Circuit {
    /// The status of a circuit whose provider works.
    pub const CLOSED: &'static str = "closed";

    /// How many jobs may be claimed now.
    #[must_use]
    pub fn permit(&self, now: DateTime<Utc>) -> Permit {
        let mut state = self.state();
        match state.open_until {
            None => Permit::All,
            Some(until) if until <= now && !state.probing => {
                state.probing = true;
                Permit::One(HalfOpenProbe(self.clone()))
            }
            Some(_) => Permit::None,
        }
    }

    /// The status, for operators.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> &'static str {
        match self.state().open_until {
            None => Self::CLOSED,
            Some(until) if until <= now => "half-open",
            Some(_) => "open",
        }
    }

    /// The provider answered.
    pub fn succeeded(&self) {
        let mut state = self.state();
        *state = State { probing: state.probing, ..State::default() };
    }

    /// The provider failed. Returns whether this opens the circuit.
    pub fn failed(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        // Calls that were in flight when it opened do not extend the open time.
        let opens = state.failures >= FAILURES && state.open_until.is_none_or(|until| until <= now);
        if opens {
            state.open_until = Some(now + OPEN_FOR);
        }
        opens
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// A circuit that has just opened.
    fn open() -> Circuit {
        let circuit = Circuit::default();
        for _ in 0..FAILURES {
            circuit.failed(NOW);
        }
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_after_a_while_one_job_tries() {
        let circuit = Circuit::default();
        for _ in 1..FAILURES {
            assert!(!circuit.failed(NOW));
        }
        assert!(matches!(circuit.permit(NOW), Permit::All));
        assert!(circuit.failed(NOW));
        assert!(matches!(circuit.permit(NOW), Permit::None));
        assert!(!circuit.failed(NOW), "it is open already");
        let later = NOW + OPEN_FOR;
        assert!(matches!(circuit.permit(later), Permit::One(_)));
        assert!(circuit.failed(later), "the probe failed");
        assert!(matches!(circuit.permit(later), Permit::None));
        circuit.succeeded();
        assert!(matches!(circuit.permit(later), Permit::All));
    }

    #[test]
    fn there_is_one_trial_until_its_result_is_known() {
        let circuit = open();
        let later = NOW + OPEN_FOR;
        let probe = circuit.permit(later);
        assert!(matches!((&probe, circuit.permit(later)), (Permit::One(_), Permit::None)));
        assert_eq!(circuit.status(later), "half-open");
        drop(probe);
        assert!(matches!(circuit.permit(later), Permit::One(_)), "it ended without a result");
    }

    #[test]
    fn a_success_ends_the_row() {
        let circuit = Circuit::default();
        for _ in 0..FAILURES * 2 {
            circuit.failed(NOW);
            circuit.succeeded();
        }
        assert!(matches!(circuit.permit(NOW), Permit::All));
    }
}
