//! What a client may do.

use std::fmt;
use std::str::FromStr;

/// The role of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// A customer: has full access to its own users, and none to those of others.
    #[default]
    Client,
    /// A compliance officer: decides the reviews of all clients' users, nothing else.
    Reviewer,
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role: client or reviewer")]
pub struct UnknownRole;

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Client, Self::Reviewer];

    /// The text that the database and the command line use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Reviewer => "reviewer",
        }
    }

    /// Whether the role has a permission of the contract, such as `users:write`.
    #[must_use]
    pub fn may(self, permission: &str) -> bool {
        let areas: &[&str] = match self {
            Self::Client => &["users", "webhooks", "events"],
            Self::Reviewer => &["reviews"],
        };
        permission.split_once(':').is_some_and(|(area, _)| areas.contains(&area))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_back_from_its_text() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("admin".parse::<Role>(), Err(UnknownRole));
    }

    #[test]
    fn a_customer_decides_no_review_and_a_reviewer_touches_no_user() {
        assert!(Role::Client.may("users:write") && !Role::Client.may("reviews:write"));
        assert!(Role::Reviewer.may("reviews:read") && !Role::Reviewer.may("users:read"));
        for role in Role::ALL {
            assert!(!role.may("clients:write") && !role.may("users") && !role.may(""));
        }
    }
}
