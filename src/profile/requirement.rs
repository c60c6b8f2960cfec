//! What a path of a request is called among the requirements: an identification or document is asked for by its type.

use super::Profile;
use crate::contract::v1;

/// The associated person that a path of a user's request is about, and what its requirement may be called, the best name
/// first.
#[must_use]
pub fn requirement(profile: &Profile, path: &str) -> (Option<usize>, Vec<String>) {
    let mut parts = path.split('.');
    match profile {
        Profile::Individual(user) => (None, names(&user.identifying_information, &user.documents, parts)),
        Profile::Business(user) if path.starts_with("associated_persons.") => {
            let index = parts.nth(1).and_then(|index| index.parse::<usize>().ok());
            let person = index.and_then(|index| user.associated_persons.get(index));
            let entries = person.map(|person| &*person.identifying_information).unwrap_or_default();
            (index, names(entries, &[], parts))
        }
        Profile::Business(user) => (None, names(&user.identifying_information, &user.documents, parts)),
    }
}

fn names<'a>(
    entries: &[v1::Identification],
    documents: &[v1::Document],
    mut parts: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    match parts.next() {
        Some("identifying_information") => {
            let entry = index(&mut parts).and_then(|index| entries.get(index));
            entry.map(|entry| of_entry(entry, parts)).unwrap_or_default()
        }
        Some("documents") => {
            let document = index(&mut parts).and_then(|index| documents.get(index));
            document.map(of_document).into_iter().collect()
        }
        Some(field) => vec![field.to_owned()],
        None => Vec::new(),
    }
}

fn of_entry<'a>(entry: &v1::Identification, mut parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let field = parts.next();
    if field == Some("documents") {
        let document = index(&mut parts).and_then(|index| entry.documents.get(index));
        return document.map(of_document).into_iter().collect();
    }
    let kind = entry.r#type();
    let own = format!("identifying_information:{}", kind.json_name());
    if kind.category().starts_with("government_id") {
        let top_level = match field {
            Some("number") => Some("document_number"),
            Some("type") => Some("document_type"),
            Some("issuing_country") => Some("document_country"),
            _ => None,
        };
        return top_level.into_iter().chain(["identifying_information:front"]).map(str::to_owned).collect();
    }
    // A nit is asked for as a tax ID, and an ein by the name of the user's own field.
    vec![own, "identifying_information:tax_id".to_owned(), kind.json_name().to_owned()]
}

fn of_document(document: &v1::Document) -> String {
    format!("identifying_information:{}", document.r#type().json_name())
}

fn index<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<usize> {
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::MockClock;
    use crate::profile::{CanonicalRequest, examples};

    /// The specification's first individual and first business.
    fn example(is_business: bool) -> Profile {
        let profiles = examples::all()
            .into_iter()
            .map(|request| CanonicalRequest::new(request).plan(&MockClock::at(chrono::DateTime::UNIX_EPOCH)).profile);
        let fits = |profile: &Profile| matches!(profile, Profile::Business(_)) == is_business;
        profiles.into_iter().find(fits).expect("an example")
    }

    fn of_individual(path: &str) -> Vec<String> {
        requirement(&example(false), path).1
    }

    #[test]
    fn an_identification_is_asked_for_by_its_type_and_a_document_by_its_own() {
        assert_eq!(of_individual("birth_date"), ["birth_date"]);
        assert_eq!(of_individual("identifying_information.0.number")[0], "identifying_information:ssn");
        let front = "identifying_information:front";
        assert_eq!(of_individual("identifying_information.1.number"), ["document_number", front]);
        assert_eq!(of_individual("identifying_information.1.expiration"), [front]);
        assert_eq!(of_individual("identifying_information.1.documents.0"), [front]);
        let proof = "identifying_information:file_proof_of_address";
        assert_eq!(of_individual("identifying_information.1.documents.2.file"), [proof]);
    }

    #[test]
    fn a_place_that_is_not_there_has_no_name() {
        for path in ["identifying_information.9.number", "identifying_information", "documents.0", "documents.x"] {
            assert_eq!(of_individual(path), [""; 0], "{path}");
        }
    }

    #[test]
    fn an_associated_person_is_known_by_its_index() {
        let of = |path: &str| requirement(&example(true), path);
        assert_eq!(of("associated_persons.1.birth_date"), (Some(1), vec!["birth_date".to_owned()]));
        let entry = "associated_persons.0.identifying_information.0.documents.0.file";
        assert_eq!(of(entry), (Some(0), vec!["identifying_information:front".to_owned()]));
        assert_eq!(of("associated_persons"), (None, vec!["associated_persons".to_owned()]));
        assert_eq!(of("ein"), (None, vec!["ein".to_owned()]));
    }
}
