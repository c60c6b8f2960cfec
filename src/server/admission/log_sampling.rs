//! Limits the rate of one kind of log line, and counts the lines left out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// The lines of one kind.
#[derive(Debug)]
pub(in crate::server) struct LogSampling {
    per_second: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

/// The decision about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Sampled {
    /// Whether to write it.
    pub(in crate::server) write: bool,
    /// The number of lines left out before, to be logged now.
    pub(in crate::server) left_out: Option<u64>,
}

impl LogSampling {
    /// Allows `per_second` lines per second.
    pub(in crate::server) const fn new(per_second: u32) -> Self {
        Self { per_second, state: Mutex::new(State { since: None, written: 0, left_out: 0 }) }
    }

    /// Decides about a line.
    pub(in crate::server) fn sample(&self, now: Instant) -> Sampled {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out = None;
        if state.since.is_none_or(|since| now.saturating_duration_since(since) >= SECOND) {
            left_out = Some(state.left_out).filter(|count| *count > 0);
            *state = State { since: Some(now), written: 0, left_out: 0 };
        }
        let write = state.written < self.per_second;
        if write {
            state.written += 1;
        } else {
            state.left_out += 1;
        }
        Sampled { write, left_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_rate_are_counted_and_summed_up_in_the_next_second() {
        let sampling = LogSampling::new(2);
        let now = Instant::now();
        let sampled = |write, left_out| Sampled { write, left_out };
        assert_eq!([now; 4].map(|now| sampling.sample(now).write), [true, true, false, false]);
        assert_eq!(sampling.sample(now + SECOND), sampled(true, Some(2)));
        assert_eq!(sampling.sample(now + 2 * SECOND), sampled(true, None));
    }
}
