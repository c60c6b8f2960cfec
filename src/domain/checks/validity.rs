//! What the calendar says: documents that have expired, people too young, businesses not yet formed.

use chrono::{Datelike, NaiveDate};

use super::applicant::{Applicant, EntityKind, IdentificationScheme};
use super::{CheckContext, Days};

/// The age from which a person may act for itself, in years.
const ADULT_YEARS: i32 = 18;

/// An age that no person has reached: the oldest person on record died at 122.
const OLDEST_YEARS: i32 = 125;

/// Expired documents. Where a party's only government IDs are expired, nothing shows who it is any more.
pub(super) fn expiry(applicant: &Applicant, days: Days, context: &mut CheckContext) {
    for party in applicant.parties() {
        let expired = |expires: Option<NaiveDate>| expires.is_some_and(|last_day| last_day < days.earliest);
        let mut ids = party.identifications.iter().filter(|entry| entry.kind == IdentificationScheme::GovernmentId);
        let another_is_valid = ids.any(|entry| !expired(entry.expires));
        for entry in party.identifications.iter().filter(|entry| entry.expires.is_some()) {
            context.applies();
            if !expired(entry.expires) {
                continue;
            }
            let path = entry.expiration_path.clone();
            if entry.kind == IdentificationScheme::GovernmentId && !another_is_valid {
                context.hard("no_valid_id", path, "No government ID is valid any more: send one that is");
            } else {
                context.soft("expired", path, "The document has expired: send a valid one");
            }
        }
    }
}

/// Users, control persons, signers and representatives under 18; birth dates that no living person has.
pub(super) fn age(applicant: &Applicant, days: Days, context: &mut CheckContext) {
    for party in applicant.parties().filter(|party| party.entity_kind == EntityKind::Person) {
        let Some(born) = party.born_or_formed else { continue };
        context.applies();
        if born > days.latest || age_on(days.earliest, born) >= OLDEST_YEARS {
            let message = "Nobody living has this birth date: correct it";
            context.hard("impossible_birth_date", party.born_or_formed_path(), message);
        } else if age_on(days.latest, born) < ADULT_YEARS {
            let role = applicant.persons.iter().find(|person| std::ptr::eq(&person.party, party));
            // A minor may own a part of a business; it may not act for it.
            if role.is_some_and(|person| !person.has_control && !person.is_signer) {
                context.soft(
                    "minor_owner",
                    party.born_or_formed_path(),
                    "The person is under 18: name who acts for it",
                );
            } else {
                context.hard(
                    "under_18",
                    party.born_or_formed_path(),
                    "The person is under 18: name a person who may act",
                );
            }
        }
    }
}

/// Businesses that are to be formed after today.
pub(super) fn formation_date(applicant: &Applicant, days: Days, context: &mut CheckContext) {
    let business = (applicant.own.entity_kind != EntityKind::Person).then_some(&applicant.own);
    let Some((business, formed)) = business.and_then(|business| Some((business, business.born_or_formed?))) else {
        return;
    };
    context.applies();
    if formed > days.latest {
        context.hard(
            "in_the_future",
            business.born_or_formed_path(),
            "The business is not formed yet: correct the date",
        );
    }
}

/// Completed years. A person born on 29 February completes them on 28 February of a common year, as some laws say:
/// the others have the day after.
fn age_on(today: NaiveDate, born: NaiveDate) -> i32 {
    let leap_day_is_missing = (born.month(), born.day()) == (2, 29) && !today.leap_year();
    let birthday = if leap_day_is_missing { 28 } else { born.day() };
    let had_birthday = (today.month(), today.day()) >= (born.month(), birthday);
    today.year() - born.year() - i32::from(!had_birthday)
}
