//! A user as the requirements see it: which facts a profile brings, under the names of the request.

use super::{chosen, filled};
use crate::contract::v1;
use crate::domain::requirements::{
    DocumentKind, Documents, Field, Fields, Identification, IdentificationKind, Kind, Party, Residence, Subject,
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
    let mut fields = Fields::default();
    fields.note(Field::FirstName, filled(&user.first_name).is_some());
    fields.note(Field::LastName, filled(&user.last_name).is_some());
    fields.note(Field::BirthDate, filled(&user.birth_date).is_some());
    fields.note(Field::Email, filled(&user.email).is_some());
    fields.note(Field::Phone, filled(&user.phone).is_some());
    fields.note(Field::Nationality, filled(&user.nationality).is_some());
    fields.note(Field::Gender, chosen::<v1::Gender>(user.gender).is_some());
    note_address(&mut fields, user.address.as_ref());
    note_primary_document(&mut fields, user.primary_document.as_ref());

    let mut subject = Subject::new(Kind::Individual);
    if let Some(answers) = &user.compliance {
        let employment = chosen::<v1::EmploymentStatus>(answers.employment_status);
        fields.note(Field::PepStatus, answers.pep_status.is_some());
        fields.note(Field::SourceOfFunds, chosen::<v1::IndividualSourceOfFunds>(answers.source_of_funds).is_some());
        fields.note(Field::AccountPurpose, chosen::<v1::IndividualAccountPurpose>(answers.account_purpose).is_some());
        note_expected_payments(&mut fields, answers.expected_monthly_payments);
        fields.note(Field::EmploymentStatus, employment.is_some());
        fields.note(Field::CurrentEmployer, filled(&answers.current_employer).is_some());
        fields.note(Field::Occupation, filled(&answers.occupation).is_some());
        fields.note(Field::ImmigrationStatus, chosen::<v1::ImmigrationStatus>(answers.immigration_status).is_some());
        subject.employed = employment == Some(v1::EmploymentStatus::Employed);
        subject.denied_bank_account = note_additional_info(&mut fields, answers.additional_info.as_ref());
    }
    subject.residence = residence(user.address.as_ref());
    subject.own = Party { fields, identifications: identifications(&user.identifying_information) };
    subject.documents = documents(&user.documents);
    subject
}

fn of_business(user: &v1::Business) -> Subject {
    let mut fields = Fields::default();
    fields.note(Field::BusinessLegalName, filled(&user.business_legal_name).is_some());
    fields.note(Field::DoingBusinessAs, filled(&user.doing_business_as).is_some());
    fields.note(Field::BusinessType, chosen::<v1::BusinessType>(user.business_type).is_some());
    fields.note(Field::BusinessIndustry, !user.business_industry.is_empty());
    fields.note(Field::BusinessDescription, filled(&user.business_description).is_some());
    fields.note(Field::BusinessWebsite, filled(&user.business_website).is_some());
    fields.note(Field::FormationDate, filled(&user.formation_date).is_some());
    fields.note(Field::FormationState, filled(&user.formation_state).is_some());
    fields.note(Field::Email, filled(&user.email).is_some());
    fields.note(Field::Phone, filled(&user.phone).is_some());
    fields.note(Field::Ein, filled(&user.ein).is_some());
    fields.note(Field::Rfc, filled(&user.rfc).is_some());
    fields.note(Field::Cnpj, filled(&user.cnpj).is_some());
    note_address(&mut fields, user.address.as_ref());
    note_primary_document(&mut fields, user.primary_document.as_ref());
    if let Some(representative) = &user.representative {
        fields.note(Field::RepresentativeFirstName, filled(&representative.first_name).is_some());
        fields.note(Field::RepresentativeLastName, filled(&representative.last_name).is_some());
        fields.note(Field::RepresentativeTitle, filled(&representative.title).is_some());
        fields.note(Field::RepresentativeBirthDate, filled(&representative.birth_date).is_some());
        fields.note(Field::RepresentativeSsn, filled(&representative.ssn).is_some());
    }

    let mut subject = Subject::new(Kind::Business);
    if let Some(answers) = &user.compliance {
        fields.note(Field::PepStatus, answers.pep_status.is_some());
        fields.note(Field::SourceOfFunds, chosen::<v1::BusinessSourceOfFunds>(answers.source_of_funds).is_some());
        fields.note(Field::AccountPurpose, chosen::<v1::BusinessAccountPurpose>(answers.account_purpose).is_some());
        note_expected_payments(&mut fields, answers.expected_monthly_payments);
        subject.denied_bank_account = note_additional_info(&mut fields, answers.additional_info.as_ref());
    }
    subject.residence = residence(user.address.as_ref());
    subject.own = Party { fields, identifications: identifications(&user.identifying_information) };
    subject.documents = documents(&user.documents);
    subject.persons = user.associated_persons.iter().map(person).collect();
    subject
}

fn person(person: &v1::AssociatedPerson) -> Party {
    let mut fields = Fields::default();
    fields.note(Field::FirstName, filled(&person.first_name).is_some());
    fields.note(Field::LastName, filled(&person.last_name).is_some());
    fields.note(Field::BirthDate, filled(&person.birth_date).is_some());
    Party { fields, identifications: identifications(&person.identifying_information) }
}

fn note_address(fields: &mut Fields, address: Option<&v1::Address>) {
    let Some(address) = address else { return };
    fields.note(Field::AddressStreet, filled(&address.street).is_some());
    fields.note(Field::AddressCity, filled(&address.city).is_some());
    fields.note(Field::AddressState, filled(&address.state).is_some());
    fields.note(Field::AddressZipCode, filled(&address.zip_code).is_some());
    fields.note(Field::AddressCountry, filled(&address.country).is_some());
}

fn note_primary_document(fields: &mut Fields, document: Option<&v1::PrimaryDocument>) {
    let Some(document) = document else { return };
    fields.note(Field::DocumentType, chosen::<v1::IdentificationType>(document.r#type).is_some());
    fields.note(Field::DocumentNumber, filled(&document.number).is_some());
    fields.note(Field::DocumentCountry, filled(&document.country).is_some());
}

fn note_expected_payments(fields: &mut Fields, expected: Option<i32>) {
    fields.note(Field::ExpectedMonthlyPayments, chosen::<v1::ExpectedMonthlyPayments>(expected).is_some());
}

/// Whether the user has been denied a bank account.
fn note_additional_info(fields: &mut Fields, info: Option<&v1::AdditionalInfo>) -> bool {
    let Some(info) = info else { return false };
    let denied = chosen::<v1::YesNo>(info.has_denied_bank_account);
    fields.note(Field::HasUsBankAccount, chosen::<v1::YesNo>(info.has_us_bank_account).is_some());
    fields.note(Field::HasDeniedBankAccount, denied.is_some());
    fields.note(Field::DeniedBankAccountExplain, filled(&info.denied_bank_account_explain).is_some());
    denied == Some(v1::YesNo::Yes)
}

fn residence(address: Option<&v1::Address>) -> Residence {
    address.and_then(|address| filled(&address.country)).map_or_else(Residence::default, Residence::of)
}

fn identifications(entries: &[v1::Identification]) -> Vec<Identification> {
    let one = |entry: &v1::Identification| Identification {
        kind: kind(entry.r#type()),
        numbered: filled(&entry.number).is_some(),
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
