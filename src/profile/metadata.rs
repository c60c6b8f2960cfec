//! The `metadata` of a response: the client's own pairs, and over them what the service adds (decisions, section 4).

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::{Profile, non_empty, own_pairs, specified};
use crate::contract::v1;

/// Where an identification's number is changed.
const ENTRIES: &str = "identifying_information";

/// The pairs that the service adds to a user's metadata, by their keys.
#[derive(Clone, Debug, Default)]
pub struct Added(BTreeMap<&'static str, Pair>);

/// A pair that the service adds.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What it says.
    pub value: Value,
    /// The field of a request that it shows.
    pub source: &'static str,
}

/// Takes the client's own pairs out of the profile and puts those of the service over them.
pub fn shown(profile: &mut Profile) -> Struct {
    let added = added(profile);
    let mut fields = own_pairs(profile).take().unwrap_or_default().fields;
    fields.extend(added.0.into_iter().map(|(key, pair)| (key.to_owned(), pair.value)));
    Struct { fields }
}

/// What the service adds to the metadata of this user.
#[must_use]
pub fn added(profile: &Profile) -> Added {
    match profile {
        Profile::Individual(user) => of_individual(user),
        Profile::Business(user) => of_business(user),
    }
}

pub(super) fn of_individual(user: &v1::Individual) -> Added {
    let mut pairs = Added::default();
    pairs.text("external_id", non_empty(&user.external_id));
    if let Some(answers) = &user.compliance {
        pairs.flag("pep_status", answers.pep_status);
        let source = specified(answers.source_of_funds).map(v1::IndividualSourceOfFunds::json_name);
        pairs.text("source_of_funds", source);
        let purpose = specified(answers.account_purpose).map(v1::IndividualAccountPurpose::json_name);
        pairs.text("account_purpose", purpose);
        pairs.expected_payments(answers.expected_monthly_payments);
        let employment = specified(answers.employment_status).map(v1::EmploymentStatus::json_name);
        pairs.text("employment_status", employment);
        pairs.text("occupation", non_empty(&answers.occupation));
        pairs.text("current_employer", non_empty(&answers.current_employer));
        pairs.text("income_source", non_empty(&answers.income_source));
        let immigration = specified(answers.immigration_status).map(v1::ImmigrationStatus::json_name);
        pairs.text("immigration_status", immigration);
    }
    pairs.tax_ids(&user.identifying_information);
    pairs
}

pub(super) fn of_business(user: &v1::Business) -> Added {
    let mut pairs = Added::default();
    pairs.text("external_id", non_empty(&user.external_id));
    if let Some(answers) = &user.compliance {
        pairs.flag("pep_status", answers.pep_status);
        let source = specified(answers.source_of_funds).map(v1::BusinessSourceOfFunds::json_name);
        pairs.text("source_of_funds", source);
        let purpose = specified(answers.account_purpose).map(v1::BusinessAccountPurpose::json_name);
        pairs.text("account_purpose", purpose);
        pairs.expected_payments(answers.expected_monthly_payments);
        pairs.flag("has_material_intermediary_ownership", answers.has_material_intermediary_ownership);
    }
    // The top level comes first: where an entry brings the same identifier with another number, this one is shown.
    pairs.text("ein", non_empty(&user.ein));
    pairs.text("rfc", non_empty(&user.rfc));
    pairs.text("cnpj", non_empty(&user.cnpj));
    pairs.tax_ids(&user.identifying_information);
    pairs
}

/// The first value of a key stays.
impl Added {
    /// The pair of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Pair> {
        self.0.get(key)
    }

    /// Deletes those of the client's own pairs that say the same.
    pub(super) fn delete_copies(&self, own: &mut Struct) {
        own.fields.retain(|key, value| self.get(key).is_none_or(|pair| pair.value != *value));
    }

    fn text(&mut self, key: &'static str, value: Option<&str>) {
        self.add(key, value.map(|value| Kind::StringValue(value.to_owned())), key);
    }

    fn flag(&mut self, key: &'static str, value: Option<bool>) {
        self.add(key, value.map(Kind::BoolValue), key);
    }

    fn add(&mut self, key: &'static str, kind: Option<Kind>, source: &'static str) {
        if kind.is_some() {
            self.0.entry(key).or_insert(Pair { value: Value { kind }, source });
        }
    }

    fn expected_payments(&mut self, number: Option<i32>) {
        let expected = specified(number).map(v1::ExpectedMonthlyPayments::json_name);
        self.text("expected_monthly_payments", expected);
    }

    /// One key per kind of tax ID, with the number as it was sent.
    fn tax_ids(&mut self, entries: &[v1::Identification]) {
        for entry in entries.iter().filter(|entry| entry.r#type().category() == "tax_id") {
            let number = non_empty(&entry.number).map(|number| Kind::StringValue(number.to_owned()));
            self.add(entry.r#type().json_name(), number, ENTRIES);
        }
    }
}
