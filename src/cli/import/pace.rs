//! Waiting while the service cannot take more: all lines wait together, and the longer the service is away, the longer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// An import ends when nothing has been answered for so long; to run it again goes on with it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// When the next line may be sent.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    not_before: Option<Instant>,
    wait: Duration,
    /// Since when nothing is answered.
    since: Option<Instant>,
}

impl Pace {
    /// Waits until a line may be sent.
    pub(super) async fn ready(&self) {
        // Another line may have had to wait in the meantime.
        while let Some(until) = self.not_before() {
            sleep_until(until).await;
        }
    }

    fn not_before(&self) -> Option<Instant> {
        self.lock().not_before.filter(|until| *until > Instant::now())
    }

    /// A line was answered. A wait that the service has asked for since that line was sent goes on.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        *state = State { not_before: state.not_before, ..State::default() };
    }

    /// A line was not: all wait for `seconds` at least. False once that has gone on for too long.
    pub(super) fn slow_down(&self, seconds: Option<u64>) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        // Lines that were sent together come back together; that is one failure.
        if state.not_before.is_none_or(|until| until <= now) {
            state.wait = (state.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        }
        let asked = Duration::from_secs(seconds.unwrap_or_default()).min(GIVE_UP_AFTER);
        state.not_before = state.not_before.max(Some(now + state.wait.max(asked)));
        let since = *state.since.get_or_insert(now);
        now - since < GIVE_UP_AFTER
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the next line waits, by the clock of the test.
    async fn waited(pace: &Pace) -> Duration {
        let begun = Instant::now();
        pace.ready().await;
        begun.elapsed()
    }

    /// The clock of tokio's timers counts whole milliseconds.
    const TICK: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn all_lines_wait_as_long_as_the_service_says_or_longer_each_time() {
        let pace = Pace::default();
        assert!(waited(&pace).await < TICK);
        for expected in [250, 500, 1_000, 2_000] {
            assert!(pace.slow_down(None) && pace.slow_down(None), "two that were sent together");
            let waited = waited(&pace).await;
            assert!(waited >= Duration::from_millis(expected) && waited < Duration::from_millis(expected) + TICK);
        }
        assert!(pace.slow_down(Some(7)));
        assert!(waited(&pace).await >= Duration::from_secs(7));
        pace.answered();
        assert!(pace.slow_down(None));
        assert!(waited(&pace).await < Duration::from_millis(250) + TICK, "from the beginning");
        assert!(pace.slow_down(Some(5)));
        pace.answered();
        assert!(waited(&pace).await >= Duration::from_secs(5), "another line that was answered ends no wait");
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_when_nothing_is_answered_for_ten_minutes() {
        let pace = Pace::default();
        let begun = Instant::now();
        while pace.slow_down(Some(20)) {
            pace.ready().await;
        }
        assert!(begun.elapsed() >= GIVE_UP_AFTER && begun.elapsed() < GIVE_UP_AFTER + LONGEST_WAIT);
    }
}
