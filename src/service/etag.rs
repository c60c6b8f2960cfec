//! Versions of a user as entity tags (RFC 9110, section 8.8.3), against lost updates.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::metadata::MetadataValue;
use tonic::{Response, Status};

/// What is said of a condition without any tag of ours: that the user has changed would send the reader the wrong way.
const NO_TAG: &str =
    "If-Match has no entity tag of this service: send the ETag of the answer unchanged, quotes included";

/// A response with the user's version as its `etag` metadata.
pub(super) fn tagged<T>(message: T, version: i64) -> Response<T> {
    let mut response = Response::new(message);
    // Digits between quotes are ASCII.
    if let Ok(value) = MetadataValue::try_from(format!("\"{version}\"")) {
        response.metadata_mut().insert("etag", value);
    }
    response
}

/// Checks the condition of a request.
///
/// # Errors
/// PRECONDITION_FAILED where no tag of the condition is that of the version.
pub(super) fn require(if_match: Option<&str>, version: i64) -> Result<(), Status> {
    match if_match.map(|condition| judge(condition, version)) {
        None | Some(Outcome::Holds) => Ok(()),
        Some(Outcome::Changed) => Err(error::with_reason(ErrorReason::PreconditionFailed)),
        Some(Outcome::NoTag) => Err(error::status(ErrorReason::PreconditionFailed, NO_TAG)),
    }
}

/// What a condition says of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// `*`, or one of the tags is that of the version.
    Holds,
    /// It has tags of other versions.
    Changed,
    /// It has no tag that this service could have given.
    NoTag,
}

/// Judges a condition.
///
/// A weak tag of the version holds too, although If-Match compares strongly: proxies that compress make a tag weak, because
/// the bytes differ. A version numbers what is stored, and two answers with one number are of the same state.
fn judge(condition: &str, version: i64) -> Outcome {
    let mut outcome = Outcome::NoTag;
    for wake in condition.split(',').map(str::trim) {
        match version_of(wake) {
            _ if wake == "*" => return Outcome::Holds,
            Some(number) if number == version => return Outcome::Holds,
            Some(_) => outcome = Outcome::Changed,
            None => {}
        }
    }
    outcome
}

/// The version of a tag of ours, strong or weak.
fn version_of(tag: &str) -> Option<i64> {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    let digits = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // The standard library reads a sign and leading zeros too, which are no tags of ours.
    let number: i64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_for_its_own_version_alone() {
        for (condition, expected) in [
            ("\"7\"", Outcome::Holds),
            ("*", Outcome::Holds),
            ("\"6\", \"7\"", Outcome::Holds),
            ("\"6\",\"x\" ,W/\"7\"", Outcome::Holds),
            ("W/\"7\"", Outcome::Holds),
            ("\"6\"", Outcome::Changed),
            ("W/\"6\"", Outcome::Changed),
            ("\"x\", \"6\"", Outcome::Changed),
            ("7", Outcome::NoTag),
            ("\"7", Outcome::NoTag),
            ("w/\"7\"", Outcome::NoTag),
            ("\"07\"", Outcome::NoTag),
            ("\"+7\"", Outcome::NoTag),
            ("\"7-gzip\"", Outcome::NoTag),
            ("\"\"", Outcome::NoTag),
            ("", Outcome::NoTag),
        ] {
            assert_eq!(judge(condition, 7), expected, "{condition}");
        }
    }
}
