//! Parts of an answer (RFC 9110, section 14): which bytes a caller asks for.

use std::ops::Range;

use tonic::Status;

use crate::error;
use crate::problem::{Path, Problems};

/// The part of `size` bytes with the entity tag `tag` that a request asks for by `Range` and `If-Range`; none where it gets
/// the whole: without a range, with one of a unit other than bytes, with several, and where it has an older part.
///
/// # Errors
/// RANGE_NOT_SATISFIABLE where no byte is within the range; INVALID_REQUEST for a malformed one.
pub fn requested_range(
    range: Option<&str>,
    if_range: Option<&str>,
    tag: &str,
    size: u64,
) -> Result<Option<Range<u64>>, Status> {
    // A date cannot be compared: what is sent has no `Last-Modified`. A weak tag names no bytes.
    let is_outdated = if_range.is_some_and(|condition| condition.trim() != tag);
    let Some(range) = range.filter(|_| !is_outdated) else { return Ok(None) };
    let Some((unit, set)) = range.split_once('=') else { return Err(malformed()) };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ok(None);
    }
    let mut parts = set.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty());
    let bounds = parts.next().and_then(bounds).ok_or_else(malformed)?;
    let others = parts.map(self::bounds).collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
    if !others.is_empty() {
        return Ok(None);
    }
    let found = match bounds {
        (Some(first), last) => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
        (None, last) => size.saturating_sub(last.unwrap_or_default())..size,
    };
    if found.is_empty() { Err(error::range_not_satisfiable(size)) } else { Ok(Some(found)) }
}

/// First and last byte: `a-b`, `a-`, or the last `b` bytes, `-b`.
fn bounds(part: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = part.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        // The standard library reads a sign too. What is beyond any number is beyond any file.
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Some(text.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if last < first => None,
        bounds => Some(bounds),
    }
}

fn malformed() -> Status {
    let mut problems = Problems::default();
    problems.push(Path::header("range"), "invalid_string", "Must be a range of bytes, such as bytes=0-499");
    error::invalid_request(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorReason;

    fn of(range: &str) -> Result<Option<Range<u64>>, ErrorReason> {
        let found = requested_range(Some(range), None, "\"t\"", 100);
        found.map_err(|status| error::details(&status).expect("details").reason)
    }

    /// The examples of RFC 9110, section 14.1.2, and what the section says of others, for 100 bytes.
    #[test]
    fn a_range_is_read_as_the_standard_has_it() {
        for (range, expected) in [
            ("bytes=0-49", Some(0..50)),
            ("bytes=50-99", Some(50..100)),
            ("bytes=50-", Some(50..100)),
            ("bytes=50-1000", Some(50..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=0-0", Some(0..1)),
            ("bytes=99-99999999999999999999999999", Some(99..100)),
            ("Bytes= 0-49", Some(0..50)),
            ("bytes=,0-49,", Some(0..50)),
            ("bytes=0-0,-1", None),
            ("pages=1-2", None),
        ] {
            assert_eq!(of(range), Ok(expected), "{range}");
        }
    }

    #[test]
    fn a_range_without_a_byte_and_one_that_is_none_are_different_errors() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(of(range), Err(ErrorReason::RangeNotSatisfiable), "{range}");
        }
        for range in
            ["bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "bytes=+1-2", "bytes=1-2-3", "bytes=0-1,x", "0-1", ""]
        {
            assert_eq!(of(range), Err(ErrorReason::InvalidRequest), "{range}");
        }
    }

    #[test]
    fn an_older_part_is_not_continued() {
        let of = |if_range| requested_range(Some("bytes=0-0"), Some(if_range), "\"t\"", 100).expect("a range");
        assert_eq!(of("\"t\""), Some(0..1));
        for other in ["\"u\"", "W/\"t\"", "Sat, 28 Nov 2026 10:00:00 GMT", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
