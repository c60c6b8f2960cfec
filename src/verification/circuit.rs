//! A circuit breaker: a provider that is down is left alone for a while, and the jobs stay queued.

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
    /// Whether one job is trying the provider.
    on_trial: bool,
}

/// How many jobs may be taken up.
#[derive(Debug)]
pub enum Permit {
    /// Any number: the provider works.
    All,
    /// One, to see whether the provider works again.
    One(Trial),
    /// None: the provider is down, or on trial.
    None,
}

/// The one job that tries a provider again. Until it is dropped there is no other; a trial that ends without a result
/// leaves room for the next.
#[derive(Debug)]
pub struct Trial(Circuit);

impl Drop for Trial {
    fn drop(&mut self) {
        self.0.state().on_trial = false;
    }
}

impl Circuit {
    /// How a circuit stands whose provider works.
    pub const CLOSED: &'static str = "closed";

    /// How many jobs may be taken up now.
    #[must_use]
    pub fn permit(&self, now: DateTime<Utc>) -> Permit {
        let mut state = self.state();
        match state.open_until {
            None => Permit::All,
            Some(until) if until <= now && !state.on_trial => {
                state.on_trial = true;
                Permit::One(Trial(self.clone()))
            }
            Some(_) => Permit::None,
        }
    }

    /// How it stands, for operators.
    #[must_use]
    pub fn word(&self, now: DateTime<Utc>) -> &'static str {
        match self.state().open_until {
            None => Self::CLOSED,
            Some(until) if until <= now => "half-open",
            Some(_) => "open",
        }
    }

    /// The provider answered.
    pub fn succeeded(&self) {
        let mut state = self.state();
        *state = State { on_trial: state.on_trial, ..State::default() };
    }

    /// The provider did not answer. True where this opens the circuit anew.
    pub fn failed(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        // Those that were under way when it opened do not keep it open for longer.
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
        assert!(circuit.failed(later), "the trial failed");
        assert!(matches!(circuit.permit(later), Permit::None));
        circuit.succeeded();
        assert!(matches!(circuit.permit(later), Permit::All));
    }

    #[test]
    fn there_is_one_trial_until_its_result_is_known() {
        let circuit = open();
        let later = NOW + OPEN_FOR;
        let trial = circuit.permit(later);
        assert!(matches!((&trial, circuit.permit(later)), (Permit::One(_), Permit::None)));
        assert_eq!(circuit.word(later), "half-open");
        drop(trial);
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
