//! Values that protobuf can carry and the JSON of the contract cannot say: they are refused by the contract, so that what
//! was taken over gRPC can be shown over REST and sent back.

use icu_properties::props::{BinaryProperty, DefaultIgnorableCodePoint};
use prost_types::{Duration, Timestamp};

use super::Checker;
use crate::json::{JsonEnum, expected_values};
use crate::problem::Step;

/// Seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the limits of `google.protobuf.Timestamp`.
const TIMESTAMPS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// Seconds of the longest `google.protobuf.Duration`, in either direction.
const LONGEST_DURATION: i64 = 315_576_000_000;
/// Nanoseconds of a second.
const SECOND: i32 = 1_000_000_000;

impl Checker {
    /// Refuses the unspecified value where a value was given: in a list, in a map, or set on purpose.
    pub fn specified<E: JsonEnum>(&mut self, number: i32) {
        if number == 0 {
            let expected = expected_values(E::VALUES.iter().map(|(_, name)| *name));
            self.problem("invalid_enum_value", format!("Invalid enum value. Expected {expected}, received '0'"));
        }
    }

    /// Refuses a value that does not name the kind of a request; 0 means that none is given.
    pub fn kind<E: JsonEnum>(&mut self, number: i32) {
        if E::name_of(number).is_none() {
            let expected = expected_values(E::VALUES.iter().map(|(_, name)| *name));
            let message = format!("Invalid discriminator value. Expected {expected}");
            self.problem("invalid_union_discriminator", message);
        }
    }

    /// Refuses a time outside the years 0001 to 9999, and nanoseconds that are none.
    pub fn timestamp(&mut self, time: &Timestamp) {
        if !TIMESTAMPS.contains(&time.seconds) || !(0..SECOND).contains(&time.nanos) {
            self.problem("custom", "Must be a time from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z");
        }
    }

    /// Refuses a duration of more than ten thousand years, nanoseconds that are none, and seconds and nanoseconds of
    /// different signs.
    pub fn duration(&mut self, duration: &Duration) {
        let Duration { seconds, nanos } = *duration;
        let is_short =
            (-LONGEST_DURATION..=LONGEST_DURATION).contains(&seconds) && (1 - SECOND..SECOND).contains(&nanos);
        let longest = seconds.unsigned_abs() == LONGEST_DURATION.unsigned_abs() && nanos != 0;
        let one_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
        if !is_short || longest || !one_sign {
            self.problem("custom", "Must be a duration from -315576000000s to 315576000000s");
        }
    }

    /// Refuses a text that shows nothing: a text that is required must have something to read in it.
    pub fn visible(&mut self, text: &str) {
        if !text.is_empty() && is_blank(text) {
            self.problem("too_small", "String must contain at least 1 character(s)");
        }
    }

    /// Refuses a text that hides a part of a number, as answers do that show its last characters only.
    pub fn unmasked(&mut self, number: &str) {
        if is_masked(number) {
            self.problem("custom", "Must be the whole number: this one is masked");
        }
    }
}

/// Whether a text shows nothing to a reader.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(shows_nothing)
}

/// Whether a character shows nothing: blanks, control characters, what Unicode says is not displayed (zero-width
/// characters, bidi marks, fillers), the blank of Braille, and the marks of interlinear annotations.
fn shows_nothing(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || DefaultIgnorableCodePoint::for_char(c)
        || matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffb}')
}

/// Whether a text looks like a number of which a part is hidden. No government writes its numbers with these characters;
/// letters X and signs # count if they replace all but the last digits.
#[must_use]
pub fn is_masked(number: &str) -> bool {
    if number.contains(['*', '\u{2217}', '\u{204e}', '\u{fe61}', '\u{ff0a}', '\u{2022}', '\u{25cf}', '\u{2b24}']) {
        return true;
    }
    let mut letters = number.chars().filter(|c| c.is_alphanumeric() || *c == '#').peekable();
    let Some(mask) = letters.peek().copied().filter(|c| matches!(c, 'x' | 'X' | '#')) else { return false };
    let mut hidden = 0;
    while letters.next_if_eq(&mask).is_some() {
        hidden += 1;
    }
    let mut shown = 0;
    hidden >= 3
        && letters.all(|c| {
            shown += 1;
            shown <= 4 && c.is_ascii_digit()
        })
}

/// A message whose problems can be put into the order of its schema. The generator implements it.
pub trait SchemaOrder {
    /// Gives the keys of a path, which begins in this message, their places in the schema's order; a key that the schema
    /// does not know stays as it is.
    fn order(path: &mut [Step]);
}

/// The rest of a path below an element of a list.
pub fn below_index(path: &mut [Step]) -> &mut [Step] {
    match path {
        [Step::Index(_), rest @ ..] => rest,
        rest => rest,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::problem::{Path, Problems};

    fn broken(check: impl FnOnce(&mut Checker)) -> bool {
        let mut cx = Checker {
            now: DateTime::UNIX_EPOCH,
            path: Path::default(),
            base: 0,
            problems: Problems::default(),
            alone: crate::alone::Alone::default(),
        };
        check(&mut cx);
        !cx.problems.is_empty()
    }

    #[test]
    fn times_are_those_of_the_years_1_to_9999() {
        let broken = |seconds, nanos| broken(|cx| cx.timestamp(&Timestamp { seconds, nanos }));
        for (seconds, nanos) in [(0, 0), (-62_135_596_800, 0), (253_402_300_799, 999_999_999)] {
            assert!(!broken(seconds, nanos), "{seconds} {nanos}");
        }
        for (seconds, nanos) in [
            (-62_135_596_801, 0),
            (253_402_300_800, 0),
            (i64::MIN, 0),
            (i64::MAX, 0),
            (0, -1),
            (0, 1_000_000_000),
            (0, i32::MIN),
            (0, i32::MAX),
        ] {
            assert!(broken(seconds, nanos), "{seconds} {nanos}");
        }
    }

    #[test]
    fn durations_have_one_sign_and_at_most_ten_thousand_years() {
        let broken = |seconds, nanos| broken(|cx| cx.duration(&Duration { seconds, nanos }));
        for (seconds, nanos) in [(0, 0), (0, -5), (1, 5), (-1, -5), (315_576_000_000, 0), (-315_576_000_000, 0)] {
            assert!(!broken(seconds, nanos), "{seconds} {nanos}");
        }
        for (seconds, nanos) in [
            (315_576_000_001, 0),
            (-315_576_000_001, 0),
            (315_576_000_000, 1),
            (1, -1),
            (-1, 1),
            (0, 1_000_000_000),
            (0, -1_000_000_000),
            (i64::MIN, i32::MIN),
        ] {
            assert!(broken(seconds, nanos), "{seconds} {nanos}");
        }
    }

    #[test]
    fn what_shows_nothing_is_empty_to_a_reader() {
        let blanks = [" ", "\t\n", "\u{a0}", "\u{3000}", "\u{200b}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{202e}"];
        let fillers = ["\u{3164}", "\u{115f}\u{1160}", "\u{ffa0}", "\u{2800}", "\u{ad}", "\u{180e}", "\u{fe0f}"];
        let marks = ["\u{e0001}", "\u{2066}\u{2069}", "\u{fff9}", "\u{7f}", "\u{85}", " \u{200b}\u{2800} "];
        for text in blanks.iter().chain(&fillers).chain(&marks) {
            assert!(broken(|cx| cx.visible(text)), "{text:?}");
        }
        for text in ["", "a", " a ", "\u{200b}李", "-", "0", "ʼ", "\u{200f}א"] {
            assert!(!broken(|cx| cx.visible(text)), "{text:?}");
        }
    }

    #[test]
    fn a_number_with_a_hidden_part_is_masked() {
        for text in [
            "***-**-6789",
            "***6789",
            "***",
            "123-45-67*9",
            "•••••6789",
            "●●●6789",
            "＊＊＊6789",
            "XXX-XX-6789",
            "xxx-xx-6789",
            "XXXXX6789",
            "###-##-6789",
            "XXX",
        ] {
            assert!(is_masked(text), "{text}");
        }
        for text in [
            "",
            "123-45-6789",
            "XAXX010101000",
            "XEXX010101HNEXXXA4",
            "XXX010101AAA",
            "TAV150601XXX",
            "XX123456",
            "#12345",
        ] {
            assert!(!is_masked(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_value_upsets_a_check(text in ".*", seconds: i64, nanos: i32) {
            let _ = broken(|cx| {
                cx.visible(&text);
                cx.unmasked(&text);
                cx.timestamp(&Timestamp { seconds, nanos });
                cx.duration(&Duration { seconds, nanos });
            });
        }
    }
}
