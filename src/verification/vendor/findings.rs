//! A provider's reasons in our words. Its own texts may say something about the user, so that they are not passed on:
//! the code picks a sentence of ours, and the answer itself is kept sealed.

use super::paths::is_path;
use crate::domain::verification::Reason;

/// The code of what has no code of ours.
const OTHER: (&str, &str) = ("provider_finding", "The verification provider reported a finding");

/// The codes that are passed on, each with its sentence.
const KNOWN: &[(&str, &str)] = &[
    ("document_expired", "A document has expired"),
    ("document_unreadable", "A document cannot be read"),
    ("document_not_accepted", "A document is of a kind that is not accepted"),
    ("document_altered", "A document shows signs of alteration"),
    ("document_missing", "A document is missing"),
    ("name_mismatch", "The name differs from that on a document or in a register"),
    ("birth_date_mismatch", "The date of birth differs from that on a document or in a register"),
    ("address_mismatch", "The address differs from that on a document or in a register"),
    ("number_mismatch", "A number differs from that on a document or in a register"),
    ("face_mismatch", "The face differs from that on a document"),
    ("not_found_in_register", "A register does not know the person or business"),
    ("watchlist_match", "A name is on a watch list"),
    ("duplicate_user", "The person or business is known under another user"),
    ("ownership_unclear", "The ownership of the business is not clear"),
    ("underage", "The person is under age"),
    ("fraud_suspected", "The verification provider suspects fraud"),
];

/// A reason of ours for a provider's.
pub(super) fn reason(code: &str, path: Option<&str>) -> Reason {
    let (code, message) = KNOWN.iter().find(|(known, _)| *known == code).unwrap_or(&OTHER);
    let path = path.filter(|path| is_path(path)).map(str::to_owned);
    Reason { path, ..Reason::new(*code, *message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_contract_is_kept_and_nothing_else() {
        let kept = |path| reason("underage", Some(path)).path.is_some();
        assert!(kept("associated_persons.0.identifying_information.1.number"));
        assert!(!kept("123456789") && !kept("ada.lovelace"));
    }

    #[test]
    fn every_known_code_is_passed_on_once() {
        for (position, (code, message)) in KNOWN.iter().enumerate() {
            assert_eq!(reason(code, None), Reason::new(*code, *message));
            assert!(KNOWN[..position].iter().all(|(earlier, _)| earlier != code));
        }
    }
}
