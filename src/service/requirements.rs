//! The requirements of a user as answers show them: where each target stands, beside what is missing.

use std::collections::BTreeMap;

use super::convert::Record;
use crate::contract::v1;
use crate::domain::requirements::{Issue, Lists, LocatedReason, Report, Standing, standing};
use crate::domain::status::Status;
use crate::profile::Profile;
use crate::profile::requirement::requirement;

/// Where each target stands, by its name, but for targets that ask for nothing: prost writes no value of a map that is empty, and
/// other libraries of protobuf take that for null.
pub(super) fn requirements(record: &Record, profile: &Profile, report: &Report) -> BTreeMap<String, v1::Requirements> {
    let reasons: Vec<LocatedReason> = record.reasons.iter().map(|reason| located(profile, reason.clone())).collect();
    let verifying = match record.status {
        Status::Verifying | Status::Review => true,
        // A create leaves the user CREATED until a worker takes the attempt up.
        Status::Created => record.verification_triggered && report.triggers_verification(),
        Status::Verified | Status::Rejected => false,
    };
    let of_target = |findings| shown(standing(report, findings, verifying, &reasons), profile);
    let targets = report.targets().map(|findings| (findings.target.name().to_owned(), of_target(findings)));
    targets.filter(|(_, standing)| *standing != v1::Requirements::default()).collect()
}

fn located(profile: &Profile, reason: crate::domain::verification::Reason) -> LocatedReason {
    let (person, names) = reason.path.as_deref().map(|path| requirement(profile, path)).unwrap_or_default();
    LocatedReason { reason, person, names }
}

fn shown(Standing { own, persons }: Standing, profile: &Profile) -> v1::Requirements {
    let known: &[v1::AssociatedPerson] = match profile {
        Profile::Business(user) => &user.associated_persons,
        Profile::Individual(_) => &[],
    };
    let is_business = matches!(profile, Profile::Business(_));
    let Lists { complete, pending, missing, issues } = own;
    v1::Requirements {
        complete: texts(complete),
        pending: texts(pending),
        missing: texts(missing),
        issues: issues.into_iter().map(|found| issue(found, is_business)).collect(),
        associated_persons: known.iter().zip(persons).map(|(person, lists)| of_person(person, lists)).collect(),
    }
}

fn of_person(person: &v1::AssociatedPerson, lists: Lists) -> v1::PersonRequirements {
    let Lists { complete, pending, missing, issues } = lists;
    v1::PersonRequirements {
        id: person.id.clone(),
        complete: texts(complete),
        pending: texts(pending),
        missing: texts(missing),
        issues: issues.into_iter().map(|found| issue(found, false)).collect(),
    }
}

fn texts(names: Vec<&'static str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

fn issue(Issue { requirement, reason }: Issue, is_business: bool) -> v1::RequirementIssue {
    let (identifications, documents) = requirement.map(|name| accepted(name, is_business)).unwrap_or_default();
    v1::RequirementIssue {
        requirement: requirement.map(str::to_owned),
        field: reason.path,
        code: reason.code,
        message: reason.message,
        accepted_identification_types: identifications.into_iter().map(Into::into).collect(),
        accepted_document_types: documents.into_iter().map(Into::into).collect(),
    }
}

/// The types of identifications and of documents that satisfy a requirement.
fn accepted(name: &str, is_business: bool) -> (Vec<v1::IdentificationType>, Vec<v1::DocumentType>) {
    use v1::DocumentType::{Back, Front};
    use v1::IdentificationType::{Nit, TaxId};
    let of_category =
        |category: &str| all(|kind: &v1::IdentificationType| kind.category().starts_with(category)).collect();
    match name.strip_prefix("identifying_information:") {
        None if name.starts_with("document_") => (of_category("government_id"), Vec::new()),
        None => (all(|kind: &v1::IdentificationType| kind.json_name() == name).collect(), Vec::new()),
        Some("front") => (of_category("government_id"), vec![Front]),
        Some("back") => (of_category("government_id_two_sided"), vec![Back]),
        Some("tax_id") if is_business => (vec![TaxId, Nit], Vec::new()),
        Some(of) => (
            all(|kind: &v1::IdentificationType| kind.json_name() == of).collect(),
            all(|kind: &v1::DocumentType| kind.json_name() == of).collect(),
        ),
    }
}

/// The values of an enum of the contract that fit. Their numbers have no gap after the unspecified value.
fn all<E: TryFrom<i32>>(fits: impl Fn(&E) -> bool) -> impl Iterator<Item = E> {
    (1..).map_while(|number| E::try_from(number).ok()).filter(move |value| fits(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str, is_business: bool) -> (Vec<&'static str>, Vec<&'static str>) {
        let (identifications, documents) = accepted(name, is_business);
        let identifications = identifications.into_iter().map(v1::IdentificationType::json_name);
        (identifications.collect(), documents.into_iter().map(v1::DocumentType::json_name).collect())
    }

    #[test]
    fn an_issue_names_the_types_that_are_accepted() {
        let (front, back) =
            (names("identifying_information:front", false), names("identifying_information:back", true));
        assert_eq!((front.0.len(), front.1), (8, vec!["front"]));
        assert_eq!((back.0.len(), back.0.contains(&"passport"), back.1), (6, false, vec!["back"]));
        assert_eq!(names("identifying_information:ssn", false), (vec!["ssn"], vec![]));
        assert_eq!(names("identifying_information:tax_id", false), (vec!["tax_id"], vec![]));
        assert_eq!(names("identifying_information:tax_id", true), (vec!["tax_id", "nit"], vec![]));
        let proof = "identifying_information:file_proof_of_address";
        assert_eq!(names(proof, false), (vec![], vec!["file_proof_of_address"]));
        assert_eq!(names("ein", true), (vec!["ein"], vec![]));
        assert_eq!(names("document_number", false).0.len(), 8);
        assert_eq!(names("birth_date", false), (vec![], vec![]));
    }
}
