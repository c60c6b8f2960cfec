//! A user as the requirements see it: which facts a profile brings, under the names of the request.

use kira_gateway::check::is_blank;
use kira_gateway::fields::{Fields as Given, is_given};

use super::specified;
use crate::contract::v1;
use crate::domain::requirements::{
    DocumentKind, Documents, Field, Fields, Identification, IdentificationKind, Party, Residence, Subject, UserType,
};
use crate::profile::Profile;

/// What the requirements are asked about: a stored user, or a request before it is stored.
#[must_use]
pub fn subject(profile: &Profile) -> Subject {
    match profile {
        Profile::Individual(individual) => of_individual(individual),
        Profile::Business(business) => of_business(business),
    }
}

fn of_individual(user: &v1::Individual) -> Subject {
    let mut subject = Subject::new(UserType::Individual);
    let mut fields = given(user);
    if let Some(answers) = &user.compliance {
        let employment = specified::<v1::EmploymentStatus>(answers.employment_status);
        subject.employed = employment == Some(v1::EmploymentStatus::Employed);
        subject.denied_bank_account = note_additional_info(&mut fields, answers.additional_info.as_ref());
    }
    subject.residence = residence(user.address.as_ref());
    subject.own = Party { fields, identifications: identifications(&user.identifying_information) };
    subject.documents = documents(&user.documents);
    subject
}

fn of_business(user: &v1::Business) -> Subject {
    let mut subject = Subject::new(UserType::Business);
    let mut fields = given(user);
    if let Some(answers) = &user.compliance {
        subject.denied_bank_account = note_additional_info(&mut fields, answers.additional_info.as_ref());
    }
    subject.residence = residence(user.address.as_ref());
    subject.own = Party { fields, identifications: identifications(&user.identifying_information) };
    subject.documents = documents(&user.documents);
    subject.persons = user.associated_persons.iter().map(person).collect();
    subject
}

fn person(person: &v1::AssociatedPerson) -> Party {
    Party { fields: given(person), identifications: identifications(&person.identifying_information) }
}

/// The fields of a message that have a value, under the names of requests.
fn given(message: &impl Given) -> Fields {
    let mut fields = Fields::default();
    message.each_given(&mut |name| {
        if let Ok(field) = name.parse::<Field>() {
            fields.note(field, true);
        }
    });
    fields
}

/// Whether the user has been denied a bank account.
fn note_additional_info(fields: &mut Fields, info: Option<&v1::AdditionalInfo>) -> bool {
    let Some(info) = info else { return false };
    info.each_given(&mut |name| {
        if let Ok(field) = format!("additional_info:{name}").parse::<Field>() {
            fields.note(field, true);
        }
    });
    specified(info.has_denied_bank_account) == Some(v1::YesNo::Yes)
}

fn residence(address: Option<&v1::Address>) -> Residence {
    address
        .and_then(|address| address.country.as_deref().filter(|country| !is_blank(country)))
        .map_or_else(Residence::default, Residence::of)
}

fn identifications(entries: &[v1::Identification]) -> Vec<Identification> {
    let one = |entry: &v1::Identification| Identification {
        kind: kind(entry.r#type()),
        numbered: is_given(&entry.number),
        documents: documents(&entry.documents),
    };
    entries.iter().map(one).collect()
}

fn kind(of: v1::IdentificationType) -> IdentificationKind {
    match (of, of.category()) {
        (_, "government_id") => IdentificationKind::GovernmentId,
        (_, "government_id_two_sided") => IdentificationKind::TwoSidedGovernmentId,
        (v1::IdentificationType::Ssn, _) => IdentificationKind::Ssn,
        (v1::IdentificationType::TaxId, _) => IdentificationKind::TaxId,
        (v1::IdentificationType::Ein, _) => IdentificationKind::Ein,
        (v1::IdentificationType::Nit, _) => IdentificationKind::Nit,
        _ => IdentificationKind::Other,
    }
}

fn documents(list: &[v1::Document]) -> Documents {
    let mut documents = Documents::default();
    for document in list {
        match document.r#type() {
            v1::DocumentType::Front => documents.note(DocumentKind::Front),
            v1::DocumentType::Back => documents.note(DocumentKind::Back),
            v1::DocumentType::FileProofOfAddress => documents.note(DocumentKind::ProofOfAddress),
            v1::DocumentType::FileBusinessFormation => documents.note(DocumentKind::BusinessFormation),
            v1::DocumentType::FileSourceOfWealth => documents.note(DocumentKind::SourceOfWealth),
            v1::DocumentType::Selfie | v1::DocumentType::Unspecified => {}
        }
    }
    documents
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
