//! When a failed delivery is tried again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::env::Env;

/// The longest `Retry-After` that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// The delays before each attempt.
#[derive(Clone, Debug)]
pub struct Schedule {
    steps: Vec<Duration>,
}

impl Schedule {
    /// The delay before each attempt: the first from the event, the others from the previous attempt.
    #[must_use]
    pub const fn new(steps: Vec<Duration>) -> Self {
        Self { steps }
    }

    /// When to try again after the attempt of step `step` (from 0) failed at `now`: with up to a tenth of
    /// jitter, so that deliveries that failed together are not retried together. None: that was the last attempt.
    ///
    /// `requested` is the endpoint's `Retry-After`.
    #[must_use]
    pub fn again_at(
        &self,
        env: &dyn Env,
        now: DateTime<Utc>,
        step: u32,
        requested: Option<Duration>,
    ) -> Option<DateTime<Utc>> {
        let wait = *self.steps.get(usize::try_from(step).ok()?.checked_add(1)?)?;
        let mut chance = [0];
        env.fill_random(&mut chance);
        let wait = wait + wait * u32::from(chance[0]) / 2_560;
        let wait = wait.max(requested.unwrap_or_default().min(LONGEST_RETRY_AFTER));
        Some(now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX))
    }

    /// Until when the endpoint is paused.
    #[must_use]
    pub fn pause_until(now: DateTime<Utc>, requested: Duration) -> DateTime<Utc> {
        now + TimeDelta::from_std(requested.min(LONGEST_RETRY_AFTER)).unwrap_or(TimeDelta::MAX)
    }
}

/// Reads `Retry-After`: seconds, or a date.
#[must_use]
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    (at.to_utc() - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEnv;

    fn waits(steps: &[u64]) -> Schedule {
        Schedule::new(steps.iter().copied().map(Duration::from_secs).collect())
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000, 0).expect("a time")
    }

    #[test]
    fn each_failure_waits_for_its_step_and_a_tenth_more_at_most() {
        let schedule = waits(&[0, 10, 100]);
        for (step, wait) in [(0, 10), (1, 100)] {
            let at = schedule.again_at(&SystemEnv::default(), now(), step, None).expect("another attempt");
            let waited = (at - now()).num_milliseconds();
            assert!((wait * 1_000..=wait * 1_100).contains(&waited), "{waited}");
        }
        assert_eq!(schedule.again_at(&SystemEnv::default(), now(), 2, None), None);
    }

    #[test]
    fn an_endpoint_may_ask_for_more_time_but_not_without_limit() {
        let schedule = waits(&[0, 10]);
        let at = |wish| schedule.again_at(&SystemEnv::default(), now(), 0, Some(Duration::from_secs(wish)));
        assert_eq!(at(60), Some(now() + TimeDelta::seconds(60)));
        assert_eq!(at(u64::MAX), Some(now() + TimeDelta::days(1)));
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        assert_eq!(retry_after(" 120 ", now()), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Mon, 12 Jan 1970 13:47:40 GMT", now()), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Mon, 12 Jan 1970 13:46:00 GMT", now()), None);
        assert_eq!(retry_after("soon", now()), None);
    }
}
