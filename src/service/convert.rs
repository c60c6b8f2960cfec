//! Conversion of a user to the contract's response (decisions, section 4).

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use uuid::Uuid;

use super::requirements::requirements;
use crate::contract::v1;
use crate::domain::eligibility::{Catalogue, ProductCode, eligible};
use crate::domain::requirements::{Report, report};
use crate::domain::status::{Status, VerificationStatus};
use crate::domain::verification::Reason;
use crate::profile::subject::subject;
use crate::profile::{Profile, mask, metadata, non_empty};

/// The data of a user that the database stores in clear text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The user's identifier.
    pub id: Uuid,
    /// The status of the verification.
    pub status: Status,
    /// Why the status is what it is.
    pub reasons: Vec<Reason>,
    /// Whether the create started a verification by itself.
    pub verification_triggered: bool,
    /// When the user was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// How sensitive numbers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// In clear, as documented.
    #[default]
    Clear,
    /// Their last four characters only, in every place where they appear.
    Masked,
}

/// Returns the user's response.
#[must_use]
pub fn to_user(record: &Record, mut profile: Profile, catalogue: &Catalogue, numbers: Numbers) -> v1::User {
    // Before any number is masked, though the rules ask only whether it is there.
    let report = report(&subject(&profile), catalogue.codes());
    let requirements = requirements(record, &profile, &report);
    if numbers == Numbers::Masked {
        mask::mask(&mut profile);
    }
    let metadata = metadata::shown(&mut profile);
    let parts = match profile {
        Profile::Individual(individual) => of_individual(individual),
        Profile::Business(business) => of_business(business),
    };
    v1::User {
        id: record.id.to_string(),
        r#type: parts.kind.into(),
        email: parts.email,
        status: status(record.status).into(),
        verification_status: verification_status(record.status.verification_status()).into(),
        created_at: Some(whole_seconds(record.created_at)),
        updated_at: Some(whole_seconds(record.updated_at)),
        metadata: Some(metadata),
        details: Some(parts.details),
        verification_triggered: record.verification_triggered,
        status_reasons: record.reasons.iter().cloned().map(status_reason).collect(),
        missing_fields: missing_fields(&report),
        eligible_products: eligible_products(record.status, &report, catalogue),
        outcome: None,
        record: None,
        requirements,
    }
}

/// What is stored of an individual and its answers leave out, which that of an update shows so far as ids are needed to
/// change it, and reviewers see whole; none of a business, whose own fields show everything.
#[must_use]
pub fn record_of_individual(profile: &Profile, numbers: Numbers, whole: bool) -> Option<v1::IndividualRecord> {
    let Profile::Individual(user) = profile else { return None };
    let mut parts = v1::Individual {
        identifying_information: user.identifying_information.clone(),
        documents: user.documents.clone(),
        ..v1::Individual::default()
    };
    if whole {
        parts.external_id.clone_from(&user.external_id);
        parts.primary_document.clone_from(&user.primary_document);
        parts.compliance.clone_from(&user.compliance);
    }
    let mut parts = Profile::Individual(parts);
    if numbers == Numbers::Masked {
        mask::mask(&mut parts);
    }
    let Profile::Individual(mut parts) = parts else { return None };
    cut_upload_times(&mut parts.identifying_information);
    parts.documents.iter_mut().for_each(cut_upload_time);
    Some(v1::IndividualRecord {
        identifying_information: parts.identifying_information,
        documents: parts.documents,
        external_id: parts.external_id,
        primary_document: parts.primary_document,
        compliance: parts.compliance,
    })
}

/// The profile with numbers and times as answers show them: what single elements are shown from.
pub(super) fn shown(mut profile: Profile, numbers: Numbers) -> Profile {
    if numbers == Numbers::Masked {
        mask::mask(&mut profile);
    }
    let mut cut = |element: v1::AnyElementMut<'_>| {
        if let v1::AnyElementMut::Document(document) = element {
            cut_upload_time(document);
        }
    };
    match &mut profile {
        Profile::Individual(user) => user.each_element_mut(&mut cut),
        Profile::Business(user) => user.each_element_mut(&mut cut),
    }
    profile
}

/// The targets for which something is missing, each with the request names still needed.
#[must_use]
pub fn missing_fields(report: &Report) -> std::collections::BTreeMap<String, v1::MissingFields> {
    report.missing().map(|(target, fields)| (target.to_owned(), v1::MissingFields { fields })).collect()
}

/// A reason as clients are shown it.
#[must_use]
pub fn status_reason(reason: Reason) -> v1::StatusReason {
    let Reason { code, message, path } = reason;
    v1::StatusReason { code, message, path }
}

/// The parts of a response that differ by the type of user.
struct TypedUser {
    kind: v1::UserType,
    email: String,
    details: v1::user::Details,
}

/// The documented response of an individual: names, phone, birth date, nationality, gender and address. The rest shows
/// in `metadata`, or not at all.
fn of_individual(user: v1::Individual) -> TypedUser {
    let shown = v1::Individual {
        first_name: user.first_name,
        last_name: user.last_name,
        middle_name: user.middle_name,
        phone: user.phone,
        birth_date: user.birth_date,
        nationality: user.nationality,
        gender: user.gender,
        residential_address: Some(postal_address(user.address.as_ref())),
        ..v1::Individual::default()
    };
    TypedUser {
        kind: v1::UserType::Individual,
        email: user.email.unwrap_or_default(),
        details: v1::user::Details::Individual(shown),
    }
}

/// Every accepted field of a business except those that are elsewhere in the response.
fn of_business(mut user: v1::Business) -> TypedUser {
    let email = user.email.take().unwrap_or_default();
    user.registered_address = Some(postal_address(user.address.take().as_ref()));
    for person in &mut user.associated_persons {
        cut_upload_times(&mut person.identifying_information);
    }
    cut_upload_times(&mut user.identifying_information);
    user.documents.iter_mut().for_each(cut_upload_time);
    TypedUser { kind: v1::UserType::Business, email, details: v1::user::Details::Business(user) }
}

/// All six keys, empty where unknown.
fn postal_address(address: Option<&v1::Address>) -> v1::PostalAddress {
    let Some(address) = address else { return v1::PostalAddress::default() };
    let text = |text| non_empty(text).unwrap_or_default().to_owned();
    v1::PostalAddress {
        street_line_1: text(&address.street),
        street_line_2: text(&address.street_2),
        city: text(&address.city),
        subdivision: text(&address.state),
        postal_code: text(&address.zip_code),
        country: text(&address.country),
    }
}

fn eligible_products(status: Status, report: &Report, catalogue: &Catalogue) -> Vec<v1::EligibleProduct> {
    let one = |product: &crate::domain::eligibility::Product| v1::EligibleProduct {
        product_id: product.id.to_string(),
        product_code: product_code(product.code).into(),
        product_name: product.name.clone(),
        eligible: eligible(status, report, product.code),
    };
    catalogue.iter().map(one).collect()
}

fn product_code(code: ProductCode) -> v1::ProductCode {
    match code {
        ProductCode::UsaVirtualAccounts => v1::ProductCode::UsaVirtualAccounts,
        ProductCode::VirtualAccount => v1::ProductCode::VirtualAccount,
        ProductCode::Payout => v1::ProductCode::Payout,
        ProductCode::UsaVirtualAccountsAct => v1::ProductCode::UsaVirtualAccountsAct,
    }
}

pub(super) fn status(status: Status) -> v1::UserStatus {
    match status {
        Status::Created => v1::UserStatus::Created,
        Status::Verifying => v1::UserStatus::Verifying,
        Status::Verified => v1::UserStatus::Verified,
        Status::Rejected => v1::UserStatus::Rejected,
        Status::Review => v1::UserStatus::Review,
    }
}

pub(super) fn verification_status(status: VerificationStatus) -> v1::VerificationStatus {
    match status {
        VerificationStatus::Unverified => v1::VerificationStatus::Unverified,
        VerificationStatus::Verified => v1::VerificationStatus::Verified,
        VerificationStatus::Rejected => v1::VerificationStatus::Rejected,
    }
}

/// A time as responses show it.
pub(super) fn whole_seconds(time: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: time.timestamp(), nanos: 0 }
}

fn cut_upload_times(entries: &mut [v1::Identification]) {
    entries.iter_mut().flat_map(|entry| &mut entry.documents).for_each(cut_upload_time);
}

fn cut_upload_time(document: &mut v1::Document) {
    if let Some(time) = &mut document.uploaded_at {
        time.nanos = 0;
    }
}

#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod sent_back_tests;
#[cfg(test)]
mod tests;
