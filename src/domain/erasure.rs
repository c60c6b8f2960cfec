//! When a user may be erased, and when it must be.

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use chrono::{DateTime, TimeDelta, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::status::Status;

/// Why a user is erased. The texts are those of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Cause {
    /// The client that owns it asked for it.
    Client,
    /// The operator did.
    Operator,
    /// It has not changed for as long as users of its status are kept.
    Expired,
}

/// Who placed a legal hold, and may release it. The texts are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Authority {
    /// The client that owns the user.
    Client,
    /// The operator of the service.
    Operator,
}

/// For how long users are kept after their last change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// At least, those for whom a verification was started: what was decided about them must be accounted for.
    pub minimum: Option<TimeDelta>,
    /// At most, those who are CREATED: they were never complete, or did not become so again.
    pub created: Option<TimeDelta>,
    /// At most, those who are REJECTED.
    pub rejected: Option<TimeDelta>,
}

impl Retention {
    /// Until when a user must be kept that changed last at `updated_at`. None: it may be erased at once.
    #[must_use]
    pub fn kept_until(&self, verification_triggered: bool, updated_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let minimum = self.minimum.filter(|_| verification_triggered)?;
        // A period beyond what the clock can show never ends.
        Some(updated_at.checked_add_signed(minimum).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    /// The statuses whose users expire, each with the time of their last change before which they have at `now`.
    pub fn expired(&self, now: DateTime<Utc>) -> impl Iterator<Item = (Status, DateTime<Utc>)> + use<> {
        let of = |status, age: Option<TimeDelta>| Some((status, now.checked_sub_signed(age?)?));
        [of(Status::Created, self.created), of(Status::Rejected, self.rejected)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn who_was_verified_is_kept_for_the_minimum_and_who_was_not_is_not() {
        let retention = Retention { minimum: Some(TimeDelta::days(365)), ..Retention::default() };
        let changed = at("2026-11-28T12:00:00Z");
        assert_eq!(retention.kept_until(true, changed), Some(at("2027-11-28T12:00:00Z")));
        assert_eq!(retention.kept_until(false, changed), None);
        assert_eq!(Retention::default().kept_until(true, changed), None);
    }

    #[test]
    fn a_minimum_beyond_the_calendar_never_ends() {
        let retention = Retention { minimum: Some(TimeDelta::MAX), ..Retention::default() };
        assert_eq!(retention.kept_until(true, at("2026-11-28T12:00:00Z")), Some(DateTime::<Utc>::MAX_UTC));
    }

    #[test]
    fn users_expire_by_the_age_of_their_last_change() {
        let now = at("2026-11-28T12:00:00Z");
        assert_eq!(Retention::default().expired(now).count(), 0);
        let retention = Retention { rejected: Some(TimeDelta::days(1)), ..Retention::default() };
        let expired: Vec<_> = retention.expired(now).collect();
        assert_eq!(expired, [(Status::Rejected, at("2026-11-27T12:00:00Z"))]);
    }
}
