//! What a change of a user does to its verification (decisions, sections 6 and 9).

use super::status::Status;
use super::verification::{Input, NotAllowed, Standing, Trigger, transition};

/// Fields of the user, or of an associated person, that an outcome speaks of: names, dates of birth and formation, tax
/// numbers. Addresses, identification entries and documents are known by their groups.
const JUDGED: [&str; 16] = [
    "first_name",
    "last_name",
    "middle_name",
    "birth_date",
    "business_legal_name",
    "business_trade_name",
    "doing_business_as",
    "formation_date",
    "ssn",
    "ein",
    "rfc",
    "cnpj",
    "representative_first_name",
    "representative_last_name",
    "representative_birth_date",
    "representative_ssn",
];
/// The groups whose keys share a prefix.
const JUDGED_PREFIXES: [&str; 2] = ["address_", "document_"];
/// The lists of which every entry is judged as a whole.
const JUDGED_LISTS: [&str; 2] = ["identifying_information", "documents"];
/// The client's own words about an entry, which prove nothing.
const REMARK: &str = "description";

/// How much a change of a field means to a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The client's own words and pairs, which prove nothing.
    Remark,
    /// What may have been the cause of a refusal, but makes no outcome void.
    Answer,
    /// An outcome says nothing about the user any more: name, birth date, address, tax IDs, documents, and who the
    /// associated persons are.
    Judged,
}

/// What a change of the field at this path of a request means.
#[must_use]
pub fn weight(path: &str) -> Weight {
    let mut names = path.split('.').filter(|step| step.parse::<usize>().is_err());
    let (first, last) = (names.next().unwrap_or_default(), path.rsplit('.').next().unwrap_or_default());
    let in_list = JUDGED_LISTS.contains(&first) || names.any(|name| JUDGED_LISTS.contains(&name));
    // An associated person as a whole comes or goes: the path ends in its index.
    let whole = last.parse::<usize>().is_ok() && first == "associated_persons";
    match first {
        "metadata" | "external_id" => Weight::Remark,
        "additional_info" => Weight::Answer,
        _ if in_list && last == REMARK => Weight::Remark,
        _ if in_list || whole || JUDGED.contains(&last) => Weight::Judged,
        _ if JUDGED_PREFIXES.iter().any(|prefix| last.starts_with(prefix)) => Weight::Judged,
        _ => Weight::Answer,
    }
}

/// Where a user stands before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its status.
    pub status: Status,
    /// Whether an attempt is under way or waits for a human. A user who is CREATED may have one, or not.
    pub attempt_open: bool,
    /// Whether it brought all that verification needs.
    pub complete: bool,
}

/// What a change does to a user's verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The status from now on.
    pub status: Status,
    /// Whether the attempt so far, if there is one, counts no more: a late result of it changes nothing.
    pub abandons: bool,
    /// Whether a new attempt starts.
    pub starts: bool,
    /// Whether the user had an outcome that says nothing about the new data.
    pub requires_reverification: bool,
}

/// Decides what a change does; where it leads is for the state machine to say. `complete`: afterwards the user brings all
/// that verification needs.
///
/// A VERIFIED user whose new data cannot be verified yet is not VERIFIED: it goes back to CREATED, and what completes it
/// starts the attempt. A REJECTED one stays refused until then. A user in REVIEW stays there: a human decides about what
/// it says now, and no change leads around that.
#[must_use]
pub fn effect(before: Before, weight: Weight, complete: bool) -> Effect {
    let Before { status, attempt_open, complete: was_complete } = before;
    let judged = weight == Weight::Judged;
    let completed = complete && !was_complete;
    let starts = match status {
        Status::Created if !attempt_open => complete,
        Status::Created | Status::Verifying | Status::Verified => judged && complete,
        Status::Rejected => complete && (weight >= Weight::Answer || completed),
        Status::Review => false,
    };
    let withdraws = judged && !starts && (attempt_open || status == Status::Verified);
    let decided = matches!(status, Status::Verified | Status::Rejected);
    let requires_reverification = decided && (judged || starts);
    let standing = Standing { status, attempt: None, attended: false };
    let next = match (starts, withdraws) {
        (true, _) => transition(standing, Input::Started(Trigger::Update)),
        (_, true) => transition(standing, Input::Withdrawn),
        _ => Err(NotAllowed),
    };
    match next {
        Ok(next) => Effect { status: next.status, abandons: true, starts, requires_reverification },
        Err(NotAllowed) => Effect { status, abandons: false, starts: false, requires_reverification },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(status: Status) -> Before {
        let attempt_open = matches!(status, Status::Verifying | Status::Review);
        Before { status, attempt_open, complete: true }
    }

    #[test]
    fn names_births_addresses_tax_ids_and_documents_are_judged() {
        for path in [
            "first_name",
            "birth_date",
            "address_city",
            "document_number",
            "ein",
            "representative_ssn",
            "identifying_information.0",
            "identifying_information.0.number",
            "identifying_information.0.documents.1",
            "documents.0",
            "associated_persons.0",
            "associated_persons.3.last_name",
            "associated_persons.3.address_street_2",
            "associated_persons.3.identifying_information.0.documents.0",
        ] {
            assert_eq!(weight(path), Weight::Judged, "{path}");
        }
    }

    #[test]
    fn answers_contacts_metadata_and_remarks_are_not_judged() {
        for path in [
            "email",
            "phone",
            "occupation",
            "external_id",
            "business_industry",
            "representative_title",
            "metadata.first_name",
            "metadata.documents",
            "metadata.associated_persons.0",
            "additional_info.has_us_bank_account",
            "identifying_information.0.description",
            "associated_persons.0.title",
            "associated_persons.0.ownership_percentage",
        ] {
            assert!(weight(path) < Weight::Judged, "{path}");
        }
    }

    #[test]
    fn what_completes_a_user_without_an_attempt_starts_one() {
        let created = Before { status: Status::Created, attempt_open: false, complete: false };
        for weight in [Weight::Judged, Weight::Answer] {
            let found = effect(created, weight, true);
            assert!(found.starts && !found.requires_reverification, "{found:?}");
            assert_eq!(found.status, Status::Verifying);
        }
        let found = effect(created, Weight::Judged, false);
        assert_eq!((found.status, found.starts, found.abandons), (Status::Created, false, false));
    }

    #[test]
    fn an_attempt_under_way_is_replaced_where_what_it_judges_changes() {
        let waiting = Before { status: Status::Created, attempt_open: true, complete: true };
        for open in [waiting, before(Status::Verifying)] {
            let found = effect(open, Weight::Judged, true);
            assert!(found.starts && found.abandons && !found.requires_reverification, "{found:?}");
            let untouched = effect(open, Weight::Answer, true);
            assert_eq!((untouched.status, untouched.starts, untouched.abandons), (open.status, false, false));
        }
    }

    #[test]
    fn an_attempt_whose_data_are_gone_is_abandoned() {
        let found = effect(before(Status::Verifying), Weight::Judged, false);
        assert_eq!((found.status, found.starts, found.abandons), (Status::Created, false, true));
    }

    #[test]
    fn a_decided_user_whose_data_change_is_verified_again() {
        for decided in [Status::Verified, Status::Rejected] {
            let found = effect(before(decided), Weight::Judged, true);
            assert!(found.starts && found.requires_reverification, "{found:?}");
            let untouched = effect(before(decided), Weight::Remark, true);
            assert_eq!((untouched.status, untouched.requires_reverification), (decided, false));
        }
    }

    #[test]
    fn nobody_stays_verified_by_data_that_nobody_verified() {
        let found = effect(before(Status::Verified), Weight::Judged, false);
        assert!(found.requires_reverification && !found.starts, "{found:?}");
        assert_eq!(found.status, Status::Created);
    }

    #[test]
    fn a_rejected_user_stays_so_until_its_data_are_complete_again() {
        let found = effect(before(Status::Rejected), Weight::Judged, false);
        assert_eq!((found.status, found.starts, found.requires_reverification), (Status::Rejected, false, true));
        let incomplete = Before { complete: false, ..before(Status::Rejected) };
        assert!(effect(incomplete, Weight::Remark, true).starts);
    }

    #[test]
    fn a_rejected_user_that_changes_any_possible_cause_is_verified_again() {
        assert!(effect(before(Status::Rejected), Weight::Answer, true).starts);
        assert!(!effect(before(Status::Rejected), Weight::Remark, true).starts);
        assert_eq!(weight("associated_persons.0.ownership_percentage"), Weight::Answer);
        assert_eq!(weight("metadata.a"), Weight::Remark);
    }

    #[test]
    fn no_change_leads_around_a_review() {
        for complete in [true, false] {
            let found = effect(before(Status::Review), Weight::Judged, complete);
            assert_eq!((found.status, found.starts, found.abandons), (Status::Review, false, false));
        }
    }
}
