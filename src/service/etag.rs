//! Versions of a user as entity tags (RFC 9110, section 8.8.3), against lost updates.

use kira_gateway::error;
use kira_gateway::error::ErrorReason;
use tonic::metadata::MetadataValue;
use tonic::{Response, Status};

/// A response whose metadata tells the user's version.
pub(super) fn tagged<T>(message: T, version: i64) -> Response<T> {
    let mut response = Response::new(message);
    // Digits between quotes are ASCII.
    if let Ok(value) = MetadataValue::try_from(tag(version)) {
        response.metadata_mut().insert("etag", value);
    }
    response
}

/// Checks the condition of a request.
///
/// # Errors
/// PRECONDITION_FAILED where no tag of the condition is that of the version.
pub(super) fn require(if_match: Option<&str>, version: i64) -> Result<(), Status> {
    match if_match {
        Some(condition) if !holds(condition, version) => Err(error::because(ErrorReason::PreconditionFailed)),
        _ => Ok(()),
    }
}

fn tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// Whether `*` or one of the tags is that of the version. A weak tag never is: If-Match compares strongly.
fn holds(condition: &str, version: i64) -> bool {
    let own = tag(version);
    condition.split(',').map(str::trim).any(|wanted| wanted == "*" || wanted == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_for_its_own_version_alone() {
        for (condition, expected) in [
            ("\"7\"", true),
            ("*", true),
            ("\"6\", \"7\"", true),
            ("\"6\"", false),
            ("W/\"7\"", false),
            ("7", false),
            ("", false),
        ] {
            assert_eq!(holds(condition, 7), expected, "{condition}");
        }
    }
}
