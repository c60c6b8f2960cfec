//! `[events]`: how long the history of events stays in the database.

use std::time::Duration;

use super::reader::Reader;
use super::value::OrOff;

const DAY: Duration = Duration::from_secs(86_400);

/// The history of events.
#[derive(Debug, Clone)]
pub struct EventsConfig {
    /// The age from which on `kira-users archive` moves events to the archive; none: it is told each time.
    pub retention: Option<Duration>,
}

impl EventsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        const RANGE: std::ops::RangeInclusive<Duration> = DAY..=DAY.saturating_mul(36_500);
        let OrOff(retention) = reader.required::<OrOff<Duration>>("events.retention");
        if let Some(wrong) = retention.filter(|retention| !RANGE.contains(retention)) {
            reader.refuse("events.retention", format!("{wrong:?} is out of range; accepted: 1d to 36500d, or off"));
        }
        Self { retention }
    }
}
