//! Numbers that show their last four characters only, where the operator asks for it (decisions, section 4).

use kira_gateway::numbers::{Number, Numbers};
use prost_types::Struct;
use prost_types::value::Kind;

use super::{Profile, own_pairs};
use crate::contract::{rules, v1};

/// In front of the last four characters of a social security number, and of an ITIN, which is written like one.
const SOCIAL_SECURITY: &str = "***-**-";

/// In front of the last four characters of any other number.
const OTHER: &str = "***";

/// The number of characters that are shown.
const SHOWN: usize = 4;

/// Masks every number that the contract marks as SENSITIVITY_NUMBER, and what the client's own pairs say under the keys
/// of such numbers.
pub fn mask(profile: &mut Profile) {
    match profile {
        Profile::Individual(user) => user.each_number(&mut mask_number),
        Profile::Business(user) => user.each_number(&mut mask_number),
    }
    if let Some(own) = own_pairs(profile) {
        mask_pairs(own);
    }
}

/// Whether `sent` is how an answer shows the number `stored` masked.
#[must_use]
pub fn is_mask_of(sent: &str, stored: &str) -> bool {
    !stored.is_empty() && masks(stored).iter().any(|mask| mask == sent)
}

/// How answers may show a number masked: its kind may have been another when it was shown.
pub(super) fn masks(number: &str) -> [String; 2] {
    [masked(number, SOCIAL_SECURITY), masked(number, OTHER)]
}

fn mask_number(number: Number<'_>) {
    let kind = number.kind.and_then(|kind| v1::IdentificationType::try_from(kind).ok());
    let prefix = match kind {
        Some(v1::IdentificationType::Ssn | v1::IdentificationType::Itin) => SOCIAL_SECURITY,
        _ => prefix(number.name),
    };
    if let Some(text) = number.text.as_mut().filter(|text| !text.is_empty()) {
        *text = masked(text, prefix);
    }
}

fn mask_pairs(own: &mut Struct) {
    for (key, value) in own.fields.iter_mut().filter(|(key, _)| rules::is_number_key(key)) {
        match &mut value.kind {
            Some(Kind::StringValue(text)) if !text.is_empty() => *text = masked(text, prefix(key)),
            _ => {}
        }
    }
}

fn prefix(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("ssn" | "itin") => SOCIAL_SECURITY,
        _ => OTHER,
    }
}

/// A number of four characters or fewer shows none of them: the last four would be all.
fn masked(number: &str, prefix: &str) -> String {
    match number.char_indices().rev().nth(SHOWN - 1) {
        Some((start, _)) if start > 0 => format!("{prefix}{}", &number[start..]),
        _ => OTHER.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_mask_is_that_of_its_number_alone() {
        assert!(is_mask_of("***-**-6789", "123-45-6789") && is_mask_of("***6789", "123-45-6789"));
        assert!(is_mask_of("***", "12") && !is_mask_of("***", "12345"));
        assert!(!is_mask_of("***-**-6788", "123-45-6789") && !is_mask_of("***", ""));
        assert!(!is_mask_of("123-45-6789", "123-45-6789"));
    }

    #[test]
    fn every_mask_is_refused_as_a_number() {
        for number in ["123-45-6789", "1", "GARM880520MDFRRL09"] {
            assert!(masks(number).iter().all(|mask| kira_gateway::check::is_masked(mask)), "{number}");
        }
    }
}
