//! What the calendar says: documents that have expired, people too young, businesses not yet formed.

use chrono::{Datelike, NaiveDate};

use super::Examination;
use super::dossier::{Dossier, IdentificationKind, Nature};

/// The age from which a person may act for itself, in years.
const ADULT_YEARS: i32 = 18;

/// The age that nobody has reached: the oldest person on record died at 122.
const OLDEST_YEARS: i32 = 125;

/// Expired documents. Where a party's only government IDs are expired, nothing shows who it is any more.
pub(super) fn expiry(dossier: &Dossier, today: NaiveDate, examination: &mut Examination) {
    for party in dossier.parties() {
        let expired = |expires: Option<NaiveDate>| expires.is_some_and(|last_day| last_day < today);
        let mut ids = party.identifications.iter().filter(|entry| entry.kind == IdentificationKind::GovernmentId);
        let another_is_valid = ids.any(|entry| !expired(entry.expires));
        for entry in party.identifications.iter().filter(|entry| entry.expires.is_some()) {
            examination.applies();
            if !expired(entry.expires) {
                continue;
            }
            let path = entry.expiration_path.clone();
            if entry.kind == IdentificationKind::GovernmentId && !another_is_valid {
                examination.hard("no_valid_id", path, "No government ID is valid any more");
            } else {
                examination.soft("expired", path, "The document has expired");
            }
        }
    }
}

/// Users, control persons, signers and representatives under 18; birth dates that nobody living has.
pub(super) fn age(dossier: &Dossier, today: NaiveDate, examination: &mut Examination) {
    for party in dossier.parties().filter(|party| party.nature == Nature::Person) {
        let Some(born) = party.began else { continue };
        examination.applies();
        let years = age_on(today, born);
        if born > today || years >= OLDEST_YEARS {
            examination.hard("impossible_birth_date", party.began_path(), "Nobody living has this birth date");
        } else if years < ADULT_YEARS {
            let role = dossier.persons.iter().find(|person| std::ptr::eq(&person.party, party));
            // A minor may own a part of a business; it may not act for it.
            if role.is_some_and(|person| !person.has_control && !person.is_signer) {
                examination.soft("minor_owner", party.began_path(), "The person is under 18");
            } else {
                examination.hard("under_18", party.began_path(), "The person is under 18");
            }
        }
    }
}

/// Businesses that are to be formed after today.
pub(super) fn formation_date(dossier: &Dossier, today: NaiveDate, examination: &mut Examination) {
    let business = (dossier.own.nature != Nature::Person).then_some(&dossier.own);
    let Some((business, formed)) = business.and_then(|business| Some((business, business.began?))) else { return };
    examination.applies();
    if formed > today {
        examination.hard("in_the_future", business.began_path(), "The business is not formed yet");
    }
}

/// Completed years; who is born on 29 February completes them on 1 March of a common year.
fn age_on(today: NaiveDate, born: NaiveDate) -> i32 {
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    today.year() - born.year() - i32::from(!had_birthday)
}
