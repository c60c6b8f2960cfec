//! Numbers that show their last four characters only, where the operator asks for it (decisions, section 4).

use crate::contract::v1;
use crate::profile::Profile;

/// In front of the last four characters of a social security number, and of an ITIN, which is written like one.
const SOCIAL_SECURITY: &str = "***-**-";

/// In front of the last four characters of any other number.
const OTHER: &str = "***";

/// So many characters are shown.
const SHOWN: usize = 4;

/// Masks every number that the contract marks as SENSITIVITY_NUMBER.
pub(super) fn mask(profile: &mut Profile) {
    match profile {
        Profile::Individual(individual) => {
            mask_document(individual.primary_document.as_mut());
            mask_entries(&mut individual.identifying_information);
        }
        Profile::Business(business) => {
            for number in [&mut business.ein, &mut business.rfc, &mut business.cnpj] {
                mask_number(number, OTHER);
            }
            mask_document(business.primary_document.as_mut());
            if let Some(representative) = &mut business.representative {
                mask_number(&mut representative.ssn, SOCIAL_SECURITY);
            }
            for person in &mut business.associated_persons {
                mask_number(&mut person.ssn, SOCIAL_SECURITY);
                mask_entries(&mut person.identifying_information);
            }
            mask_entries(&mut business.identifying_information);
        }
    }
}

fn mask_entries(entries: &mut [v1::Identification]) {
    for entry in entries {
        let prefix = prefix(entry.r#type());
        mask_number(&mut entry.number, prefix);
    }
}

fn mask_document(document: Option<&mut v1::PrimaryDocument>) {
    if let Some(document) = document {
        let prefix = prefix(document.r#type());
        mask_number(&mut document.number, prefix);
    }
}

fn prefix(kind: v1::IdentificationType) -> &'static str {
    match kind {
        v1::IdentificationType::Ssn | v1::IdentificationType::Itin => SOCIAL_SECURITY,
        _ => OTHER,
    }
}

/// A number of four characters or fewer shows none of them: the last four would be all.
fn mask_number(number: &mut Option<String>, prefix: &str) {
    let Some(text) = number else { return };
    if text.is_empty() {
        return;
    }
    *text = match text.char_indices().rev().nth(SHOWN - 1) {
        Some((start, _)) if start > 0 => format!("{prefix}{}", &text[start..]),
        _ => OTHER.to_owned(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(number: &str, prefix: &str) -> String {
        let mut number = Some(number.to_owned());
        mask_number(&mut number, prefix);
        number.expect("a number stays one")
    }

    #[test]
    fn a_social_security_number_keeps_its_form_and_last_four() {
        assert_eq!(masked("123-45-6789", SOCIAL_SECURITY), "***-**-6789");
        assert_eq!(masked("123456789", SOCIAL_SECURITY), "***-**-6789");
    }

    #[test]
    fn another_number_keeps_its_last_four() {
        assert_eq!(masked("GARM880520MDFRRL09", OTHER), "***RL09");
        assert_eq!(masked("12345", OTHER), "***2345");
        assert_eq!(masked("ñandú-ñandú", OTHER), "***andú");
    }

    #[test]
    fn a_number_of_four_characters_or_fewer_shows_nothing() {
        for number in ["1234", "1", "ñññ"] {
            assert_eq!(masked(number, SOCIAL_SECURITY), "***");
        }
    }
}
