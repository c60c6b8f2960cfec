//! The paths that a provider may point to: those of the contract's fields. Anything else may be a value of the user's.

/// The fields of a user, as requests name them.
const FIELDS: &[&str] = &[
    "account_purpose",
    "additional_info",
    "address_city",
    "address_country",
    "address_state",
    "address_street",
    "address_street_2",
    "address_zip_code",
    "associated_persons",
    "birth_date",
    "business_description",
    "business_industry",
    "business_legal_name",
    "business_trade_name",
    "business_type",
    "business_website",
    "cnpj",
    "current_employer",
    "document_country",
    "document_number",
    "document_type",
    "documents",
    "doing_business_as",
    "ein",
    "email",
    "employment_status",
    "expected_monthly_payments",
    "external_id",
    "first_name",
    "formation_country",
    "formation_date",
    "formation_state",
    "gender",
    "has_material_intermediary_ownership",
    "identifying_information",
    "immigration_status",
    "income_source",
    "last_name",
    "metadata",
    "middle_name",
    "nationality",
    "occupation",
    "pep_status",
    "phone",
    "representative_birth_date",
    "representative_first_name",
    "representative_last_name",
    "representative_ssn",
    "representative_title",
    "rfc",
    "source_of_funds",
    "type",
];
/// The fields of what a user has, where they have other names.
const INNER_FIELDS: &[&str] = &[
    "any_politically_exposed_person",
    "any_politically_exposed_person_explain",
    "denied_bank_account_explain",
    "description",
    "expiration",
    "file",
    "has_control",
    "has_denied_bank_account",
    "has_ownership",
    "has_us_bank_account",
    "is_signer",
    "issuing_country",
    "number",
    "ownership_percentage",
    "past_business_interaction",
    "past_business_interaction_explain",
    "past_owner_interaction",
    "past_owner_interaction_explain",
    "ssn",
    "title",
];
/// The fields that are lists, each before those that its entries have. Only entries have an index.
const LISTS: [&str; 4] = ["business_industry", "associated_persons", "identifying_information", "documents"];
/// The most digits of an index: no list of the contract is longer.
const MAX_DIGITS: usize = 3;

/// Whether a text is the path of a field, such as `associated_persons.0.identifying_information.1.number`.
pub(super) fn is_path(text: &str) -> bool {
    let mut parts = text.split('.');
    let Some(mut before) = parts.next().filter(|first| FIELDS.contains(first)) else { return false };
    // Each list comes after those that hold it, so that there are three indices at most.
    let mut lists = LISTS.iter();
    for part in parts {
        let is_good = if part.bytes().all(|byte| byte.is_ascii_digit()) {
            (1..=MAX_DIGITS).contains(&part.len()) && lists.any(|list| *list == before)
        } else {
            before != "metadata" && (FIELDS.contains(&part) || INNER_FIELDS.contains(&part))
        };
        if !is_good {
            return false;
        }
        before = part;
    }
    true
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
