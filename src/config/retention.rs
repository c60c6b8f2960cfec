//! `[retention]`: for how long users are kept after their last change.

use std::time::Duration;

use super::reader::Reader;
use super::value::OrOff;

const DAY: Duration = Duration::from_secs(86_400);

/// For how long users are kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionConfig {
    /// At least, users for whom a verification was started; none: their erasure is never refused for their age.
    pub minimum: Option<Duration>,
    /// At most, users who are CREATED; none: without limit.
    pub created: Option<Duration>,
    /// At most, users who are REJECTED; none: without limit.
    pub rejected: Option<Duration>,
}

impl RetentionConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            minimum: age(reader, "retention.minimum"),
            created: age(reader, "retention.created"),
            rejected: age(reader, "retention.rejected"),
        }
    }
}

fn age(reader: &mut Reader, key: &'static str) -> Option<Duration> {
    const RANGE: std::ops::RangeInclusive<Duration> = DAY..=DAY.saturating_mul(36_500);
    let OrOff(age) = reader.required::<OrOff<Duration>>(key);
    if let Some(wrong) = age.filter(|age| !RANGE.contains(age)) {
        reader.refuse(key, format!("{wrong:?} is out of range; accepted: 1d to 36500d, or off"));
    }
    age
}
