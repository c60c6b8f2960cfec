//! What a change of a field means to the user's verification, as the contract says with `(kira.api.v1.field).impact`.

use kira_gateway::fields::{self, find};

use super::Profile;
use crate::contract::v1;
use crate::domain::change_impact::Impact;

/// The impact of a change at this path of a request. A path into a free JSON object has the impact of the object.
#[must_use]
pub fn impact(profile: &Profile, path: &str) -> Impact {
    let field = |path: &str| match profile {
        Profile::Individual(_) => find::<v1::Individual>(path),
        Profile::Business(_) => find::<v1::Business>(path),
    };
    let found = field(path).or_else(|| path.split_once('.').and_then(|(object, _)| field(object)));
    match found.map(|field| field.impact) {
        Some(fields::Impact::None) => Impact::None,
        Some(fields::Impact::Invalidates) => Impact::Invalidates,
        Some(fields::Impact::Reconsider) | None => Impact::Reconsider,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_individual(path: &str) -> Impact {
        impact(&Profile::Individual(v1::Individual::default()), path)
    }

    fn of_business(path: &str) -> Impact {
        impact(&Profile::Business(v1::Business::default()), path)
    }

    #[test]
    fn names_births_addresses_tax_ids_and_documents_invalidate_an_outcome() {
        let both = [
            "address_city",
            "document_number",
            "identifying_information.0",
            "identifying_information.0.number",
            "identifying_information.0.documents.1",
            "documents.0",
        ];
        for path in both.into_iter().chain(["first_name", "middle_name", "birth_date"]) {
            assert_eq!(of_individual(path), Impact::Invalidates, "{path}");
        }
        for path in both.into_iter().chain([
            "business_legal_name",
            "formation_date",
            "ein",
            "representative_ssn",
            "associated_persons.0",
            "associated_persons.3.last_name",
            "associated_persons.3.ssn",
            "associated_persons.3.address_street_2",
            "associated_persons.3.identifying_information.0.documents.0",
        ]) {
            assert_eq!(of_business(path), Impact::Invalidates, "{path}");
        }
    }

    #[test]
    fn answers_contacts_metadata_and_descriptions_invalidate_nothing() {
        for path in ["email", "phone", "nationality", "occupation", "additional_info.has_us_bank_account"] {
            assert_eq!(of_individual(path), Impact::Reconsider, "{path}");
        }
        for path in [
            "business_industry",
            "representative_title",
            "associated_persons.0.title",
            "associated_persons.0.ownership_percentage",
        ] {
            assert_eq!(of_business(path), Impact::Reconsider, "{path}");
        }
        let none = [
            "external_id",
            "metadata",
            "metadata.first_name",
            "metadata.documents",
            "identifying_information.0.description",
            "documents.0.description",
        ];
        for path in none.into_iter().chain(["identifying_information.0.documents.0.description"]) {
            assert_eq!((of_individual(path), of_business(path)), (Impact::None, Impact::None), "{path}");
        }
    }
}
