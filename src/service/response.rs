//! A user as its owner is shown it (decisions, section 4).

mod mask;
mod metadata;

use chrono::{DateTime, Utc};
use prost_types::{Struct, Timestamp};
use uuid::Uuid;

use crate::contract::v1;
use crate::domain::eligibility::{Catalogue, ProductCode, eligible};
use crate::domain::requirements::{Report, report};
use crate::domain::status::{Status, VerificationStatus};
use crate::domain::verification::Reason;
use crate::profile::subject::subject;
use crate::profile::{Profile, filled};

/// What the database keeps in clear about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The user's identifier.
    pub id: Uuid,
    /// Where the verification stands.
    pub status: Status,
    /// Why the status is what it is.
    pub reasons: Vec<Reason>,
    /// Whether the create started a verification by itself.
    pub verification_triggered: bool,
    /// When the user was made.
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

/// The user as its owner is shown it.
#[must_use]
pub fn to_user(record: &Record, mut profile: Profile, catalogue: &Catalogue, numbers: Numbers) -> v1::User {
    // Before any number is masked, though the rules ask only whether it is there.
    let report = report(&subject(&profile), catalogue.codes());
    if numbers == Numbers::Masked {
        mask::mask(&mut profile);
    }
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
        metadata: Some(parts.metadata),
        details: Some(parts.details),
        verification_triggered: record.verification_triggered,
        status_reasons: record.reasons.iter().cloned().map(status_reason).collect(),
        missing_fields: missing_fields(&report),
        eligible_products: eligible_products(record.status, &report, catalogue),
        outcome: None,
    }
}

/// The identification entries and documents of an individual, which the answer of an update shows; none of a business,
/// whose own fields show them.
#[must_use]
pub fn parts_of_individual(profile: &Profile, numbers: Numbers) -> (Vec<v1::Identification>, Vec<v1::Document>) {
    let Profile::Individual(user) = profile else { return (Vec::new(), Vec::new()) };
    let mut parts = Profile::Individual(v1::Individual {
        identifying_information: user.identifying_information.clone(),
        documents: user.documents.clone(),
        ..v1::Individual::default()
    });
    if numbers == Numbers::Masked {
        mask::mask(&mut parts);
    }
    let Profile::Individual(mut parts) = parts else { return (Vec::new(), Vec::new()) };
    cut_upload_times(&mut parts.identifying_information);
    parts.documents.iter_mut().for_each(cut_upload_time);
    (parts.identifying_information, parts.documents)
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

/// What the two kinds of user put into a response in different ways.
struct Parts {
    kind: v1::UserType,
    email: String,
    metadata: Struct,
    details: v1::user::Details,
}

/// The documented response of an individual: names, phone, birth date, nationality, gender and address. The rest shows
/// in `metadata`, or not at all.
fn of_individual(mut user: v1::Individual) -> Parts {
    let metadata = metadata::of_individual(&mut user);
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
    Parts {
        kind: v1::UserType::Individual,
        email: user.email.unwrap_or_default(),
        metadata,
        details: v1::user::Details::Individual(shown),
    }
}

/// Every accepted field of a business but those that stand elsewhere in the response.
fn of_business(mut user: v1::Business) -> Parts {
    let metadata = metadata::of_business(&mut user);
    let email = user.email.take().unwrap_or_default();
    user.registered_address = Some(postal_address(user.address.take().as_ref()));
    for person in &mut user.associated_persons {
        cut_upload_times(&mut person.identifying_information);
    }
    cut_upload_times(&mut user.identifying_information);
    user.documents.iter_mut().for_each(cut_upload_time);
    Parts { kind: v1::UserType::Business, email, metadata, details: v1::user::Details::Business(user) }
}

/// All six keys, empty where unknown.
fn postal_address(address: Option<&v1::Address>) -> v1::PostalAddress {
    let Some(address) = address else { return v1::PostalAddress::default() };
    let text = |text| filled(text).unwrap_or_default().to_owned();
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
mod tests;
