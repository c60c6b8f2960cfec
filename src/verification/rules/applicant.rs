//! From the stored profile to what the checks look at.

use std::collections::HashMap;

use chrono::NaiveDate;
use uuid::Uuid;

use crate::contract::storage::profile::User as Profile;
use crate::contract::v1;
use crate::domain::checks::{
    Applicant, AssociatedPerson, EntityKind, File, IdentificationData, IdentificationScheme, Inspection, PartyData,
    Sex, Side,
};

/// What was found in the files, by the identifier of their document.
pub(super) type Inspections<'a> = HashMap<Uuid, &'a Inspection>;

pub(super) fn build(profile: &Profile, inspections: &Inspections<'_>) -> Applicant {
    match profile {
        Profile::Individual(individual) => of_individual(individual, inspections),
        Profile::Business(business) => of_business(business, inspections),
    }
}

fn of_individual(individual: &v1::Individual, inspections: &Inspections<'_>) -> Applicant {
    let mut identifications = of_identifications("", &individual.identifying_information, inspections);
    identifications.extend(individual.primary_document.as_ref().and_then(of_primary_document));
    let own = PartyData {
        entity_kind: EntityKind::Person,
        given_names: names([&individual.first_name, &individual.middle_name]),
        surnames: names([&individual.last_name]),
        born_or_formed: date(individual.birth_date.as_deref()),
        sex: sex(individual.gender()),
        country: individual.address.as_ref().and_then(country),
        nationality: individual.nationality.clone(),
        phone: individual.phone.clone(),
        identifications,
        files: of_documents("documents", &individual.documents, inspections),
        ..PartyData::default()
    };
    Applicant { own, ..Applicant::default() }
}

fn of_business(business: &v1::Business, inspections: &Inspections<'_>) -> Applicant {
    let mut identifications = vec![];
    identifications.extend(of_field("ein", IdentificationScheme::Ein, business.ein.as_ref()));
    identifications.extend(of_field("rfc", IdentificationScheme::Rfc, business.rfc.as_ref()));
    identifications.extend(of_field("cnpj", IdentificationScheme::Cnpj, business.cnpj.as_ref()));
    identifications.extend(of_identifications("", &business.identifying_information, inspections));
    let entity_kind = match business.business_type() {
        v1::BusinessType::SoleProprietor => EntityKind::SoleProprietor,
        _ => EntityKind::Company,
    };
    let own = PartyData {
        entity_kind,
        born_or_formed: date(business.formation_date.as_deref()),
        country: business.address.as_ref().and_then(country),
        nationality: business.formation_country.clone(),
        phone: business.phone.clone(),
        identifications,
        files: of_documents("documents", &business.documents, inspections),
        ..PartyData::default()
    };
    let persons = business.associated_persons.iter().enumerate();
    Applicant {
        own,
        persons: persons.map(|(index, person)| of_person(index, person, inspections)).collect(),
        representative: business.representative.as_ref().map(of_representative),
    }
}

fn of_person(index: usize, person: &v1::AssociatedPerson, inspections: &Inspections<'_>) -> AssociatedPerson {
    let prefix = format!("associated_persons.{index}.");
    let mut identifications = vec![];
    identifications.extend(of_field(&format!("{prefix}ssn"), IdentificationScheme::Ssn, person.ssn.as_ref()));
    identifications.extend(of_identifications(&prefix, &person.identifying_information, inspections));
    let party = PartyData {
        prefix,
        entity_kind: EntityKind::Person,
        given_names: names([&person.first_name, &person.middle_name]),
        surnames: names([&person.last_name]),
        born_or_formed: date(person.birth_date.as_deref()),
        country: person.address.as_ref().and_then(country),
        nationality: person.nationality.clone(),
        identifications,
        ..PartyData::default()
    };
    AssociatedPerson {
        party,
        has_ownership: person.has_ownership,
        ownership_percentage: person.ownership_percentage,
        has_control: person.has_control(),
        is_signer: person.is_signer(),
    }
}

fn of_representative(representative: &v1::LegalRepresentative) -> PartyData {
    let ssn = of_field("representative_ssn", IdentificationScheme::Ssn, representative.ssn.as_ref());
    PartyData {
        prefix: "representative_".to_owned(),
        entity_kind: EntityKind::Person,
        given_names: names([&representative.first_name]),
        surnames: names([&representative.last_name]),
        born_or_formed: date(representative.birth_date.as_deref()),
        identifications: ssn.into_iter().collect(),
        ..PartyData::default()
    }
}

fn of_identifications(
    prefix: &str,
    entries: &[v1::Identification],
    inspections: &Inspections<'_>,
) -> Vec<IdentificationData> {
    let of_entry = |(index, entry): (usize, &v1::Identification)| {
        let path = format!("{prefix}identifying_information.{index}");
        Some(IdentificationData {
            kind: kind(entry.r#type())?,
            number_path: format!("{path}.number"),
            country_path: format!("{path}.issuing_country"),
            expiration_path: format!("{path}.expiration"),
            number: given(entry.number.as_ref()),
            issuing_country: entry.issuing_country.clone(),
            expires: date(entry.expiration.as_deref()),
            files: of_documents(&format!("{path}.documents"), &entry.documents, inspections),
        })
    };
    entries.iter().enumerate().filter_map(of_entry).collect()
}

/// A number in a field of its own.
fn of_field(path: &str, kind: IdentificationScheme, number: Option<&String>) -> Option<IdentificationData> {
    Some(IdentificationData {
        number_path: path.to_owned(),
        // A field of its own says neither.
        country_path: path.to_owned(),
        expiration_path: path.to_owned(),
        kind,
        number: Some(given(number)?),
        issuing_country: None,
        expires: None,
        files: Vec::new(),
    })
}

/// The tax number that an individual may name as its document. A government ID named this way has neither files nor an
/// end that could be judged.
fn of_primary_document(document: &v1::PrimaryDocument) -> Option<IdentificationData> {
    let kind = kind(document.r#type()).filter(|kind| *kind != IdentificationScheme::GovernmentId)?;
    let entry = of_field("document_number", kind, document.number.as_ref())?;
    let country_path = "document_country".to_owned();
    Some(IdentificationData { issuing_country: document.country.clone(), country_path, ..entry })
}

fn of_documents(path: &str, documents: &[v1::Document], inspections: &Inspections<'_>) -> Vec<File> {
    let of_document = |(index, document): (usize, &v1::Document)| {
        let inspection = document.id.parse().ok().and_then(|id: Uuid| inspections.get(&id));
        File {
            path: format!("{path}.{index}.file"),
            side: match document.r#type() {
                v1::DocumentType::Front => Side::Front,
                v1::DocumentType::Back => Side::Back,
                _ => Side::Neither,
            },
            sha256: document.sha256.clone(),
            inspection: inspection.map(|inspection| (*inspection).clone()),
        }
    };
    documents.iter().enumerate().map(of_document).collect()
}

const fn kind(kind: v1::IdentificationType) -> Option<IdentificationScheme> {
    use v1::IdentificationType as Type;
    Some(match kind {
        Type::Unspecified => return None,
        Type::Passport
        | Type::NationalId
        | Type::DriversLicense
        | Type::StateOrProvincialId
        | Type::PermanentResidencyId
        | Type::Visa
        | Type::MilitaryId
        | Type::MatriculateId => IdentificationScheme::GovernmentId,
        Type::Ssn => IdentificationScheme::Ssn,
        Type::Itin => IdentificationScheme::Itin,
        Type::TaxId | Type::Tin => IdentificationScheme::TaxId,
        Type::Curp => IdentificationScheme::Curp,
        Type::Rfc => IdentificationScheme::Rfc,
        Type::Cpf => IdentificationScheme::Cpf,
        Type::Nuip => IdentificationScheme::Nuip,
        Type::Ein => IdentificationScheme::Ein,
        Type::Nit => IdentificationScheme::Nit,
        Type::ProofOfAddress | Type::SourceOfWealth | Type::BusinessFormation => IdentificationScheme::Document,
    })
}

const fn sex(gender: v1::Gender) -> Option<Sex> {
    match gender {
        v1::Gender::Unspecified => None,
        v1::Gender::Male => Some(Sex::Male),
        v1::Gender::Female => Some(Sex::Female),
        v1::Gender::Other => Some(Sex::Other),
    }
}

/// A text that is not blank.
fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

fn country(address: &v1::Address) -> Option<String> {
    given(address.country.as_ref())
}

/// The names that were given, in a row.
fn names<const N: usize>(names: [&Option<String>; N]) -> String {
    names.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// A date as the contract writes it.
fn date(text: Option<&str>) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text?, "%Y-%m-%d").ok()
}
