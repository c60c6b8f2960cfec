//! When a request is sent again.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::{Code, Error, ErrorReason};

/// The longest wait between two tries.
const MOST: Duration = Duration::from_secs(60);

/// How often requests are repeated, and after which time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    pub(crate) most: u32,
    pub(crate) first_delay: Duration,
}

impl Retries {
    /// How long to wait before the next try, after `tries` that failed; none if there is to be no other. `repeats`: whether
    /// the request may be sent again although it may have had its effect.
    pub(crate) fn delay(&self, error: &Error, tries: u32, repeats: bool) -> Option<Duration> {
        if tries >= self.most || !may_pass(error, repeats) {
            return None;
        }
        // As long as the service says, else about twice as long at each repetition.
        let delay =
            error.retry_after.unwrap_or_else(|| self.first_delay.saturating_mul(1 << tries.min(16)).mul_f64(chance()));
        Some(delay.min(MOST))
    }
}

/// Whether the same request may succeed later. What the rate limit refuses has had no effect.
fn may_pass(error: &Error, repeats: bool) -> bool {
    match error.reason {
        Some(ErrorReason::RateLimitExceeded) => true,
        Some(ErrorReason::Unavailable | ErrorReason::DeadlineExceeded | ErrorReason::RequestTimeout) => repeats,
        Some(_) => false,
        None => repeats && matches!(error.code, Code::Unavailable | Code::DeadlineExceeded),
    }
}

/// Between a half and one, so that clients that failed together do not return together.
fn chance() -> f64 {
    // Without randomness every client waits the whole time.
    random().map_or(1.0, |[byte, ..]| 0.5 + f64::from(byte) / 512.0)
}

/// Random bytes of the system, if it has any.
pub(crate) fn random() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(reason: Option<ErrorReason>, code: Code, retry_after: Option<u64>) -> Error {
        let retry_after = retry_after.map(Duration::from_secs);
        Error { reason, code, message: String::new(), violations: Vec::new(), retry_after, request_id: None }
    }

    const RETRIES: Retries = Retries { most: 4, first_delay: Duration::from_millis(250) };

    #[test]
    fn the_wait_is_what_the_service_says_else_it_doubles() {
        let unavailable = error(Some(ErrorReason::Unavailable), Code::Unavailable, None);
        for tries in 0..4 {
            let longest = Duration::from_millis(250 << tries);
            let delay = RETRIES.delay(&unavailable, tries, true).expect("another try");
            assert!((longest / 2..=longest).contains(&delay), "{delay:?}");
        }
        assert_eq!(RETRIES.delay(&unavailable, 4, true), None);
        let limited = error(Some(ErrorReason::RateLimitExceeded), Code::ResourceExhausted, Some(7));
        assert_eq!(RETRIES.delay(&limited, 0, false), Some(Duration::from_secs(7)));
        let long = error(Some(ErrorReason::RateLimitExceeded), Code::ResourceExhausted, Some(7_000));
        assert_eq!(RETRIES.delay(&long, 0, false), Some(MOST));
    }

    #[test]
    fn only_what_may_pass_is_repeated_and_only_what_can_be_repeated() {
        let lost = error(None, Code::Unavailable, None);
        assert!(RETRIES.delay(&lost, 0, true).is_some());
        assert_eq!(RETRIES.delay(&lost, 0, false), None);
        let invalid = error(Some(ErrorReason::InvalidRequest), Code::InvalidArgument, None);
        assert_eq!(RETRIES.delay(&invalid, 0, true), None);
        let large = error(Some(ErrorReason::PayloadTooLarge), Code::ResourceExhausted, None);
        assert_eq!(RETRIES.delay(&large, 0, true), None);
    }
}
