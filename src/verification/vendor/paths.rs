//! The paths that a provider may point to: those of the contract's fields. Anything else may be a value of the user's.

use kira_gateway::fields::find;

use crate::contract::v1;

/// Says which kind of user it is: a key beside the fields of either kind.
const TYPE: &str = "type";
/// The most digits of an index: no list of the contract is longer.
const MAX_DIGITS: usize = 3;

/// Whether a text is the path of a field, such as `associated_persons.0.identifying_information.1.number`.
pub(super) fn is_path(text: &str) -> bool {
    let is_index = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text.split('.').all(|part| part.len() <= MAX_DIGITS || !is_index(part));
    text == TYPE || is_short && (find::<v1::Individual>(text).is_some() || find::<v1::Business>(text).is_some())
}

#[cfg(test)]
mod tests {
    use kira_gateway::json::to_vec_whole;
    use serde_json::Value;

    use super::*;
    use crate::profile::examples;

    #[test]
    fn only_the_path_of_a_field_is_one() {
        for path in [
            "birth_date",
            "documents.0",
            "documents.999.file",
            "associated_persons.0.identifying_information.1.number",
            "associated_persons.0.identifying_information.1.documents.2.file",
            "additional_info.has_us_bank_account",
            "metadata",
        ] {
            assert!(is_path(path), "{path}");
        }
        for path in [
            "",
            "123456789",
            "ada.lovelace",
            "first_name.ada",
            "metadata.first_name",
            "number",
            "a..b",
            "documents.",
            "documents.1234",
            "documents.123.456",
            "documents.123.documents.456",
            "first_name.123",
            "Ada",
            "birth_date ",
        ] {
            assert!(!is_path(path), "{path}");
        }
    }

    /// What the service adds.
    const OURS: [&str; 4] = ["id", "media_type", "size", "sha256"];

    /// Collects the paths of what is in a value.
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        let mut member = |key: &str, value: &Value| {
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            walk(value, &path, found);
            found.push(path);
        };
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| member(key, value)),
            Value::Array(entries) => {
                entries.iter().enumerate().for_each(|(index, value)| member(&index.to_string(), value));
            }
            _ => {}
        }
    }

    #[test]
    fn every_field_of_the_examples_can_be_pointed_to() {
        let users = [
            to_vec_whole(&examples::usa_individual()),
            to_vec_whole(&examples::mexican_individual()),
            to_vec_whole(&examples::usa_business()),
        ];
        for user in users {
            let mut paths = Vec::new();
            walk(&serde_json::from_slice(&user).expect("JSON"), "", &mut paths);
            assert!(paths.len() > 20);
            for path in paths {
                let is_ours = OURS.contains(&path.rsplit('.').next().unwrap_or_default());
                assert!(is_path(&path) || is_ours || path.starts_with("metadata."), "{path}");
            }
        }
    }
}
