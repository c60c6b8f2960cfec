//! The `metadata` of a response: the client's own pairs, and over them what the service adds (decisions, section 4).

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::contract::v1;
use crate::profile::{chosen, filled};

/// Takes the client's own pairs out of the profile and adds the individual's.
pub(super) fn of_individual(user: &mut v1::Individual) -> Struct {
    let mut pairs = Pairs::default();
    pairs.text("external_id", filled(&user.external_id));
    if let Some(answers) = &user.compliance {
        pairs.flag("pep_status", answers.pep_status);
        let source = chosen(answers.source_of_funds).map(v1::IndividualSourceOfFunds::json_name);
        pairs.text("source_of_funds", source);
        let purpose = chosen(answers.account_purpose).map(v1::IndividualAccountPurpose::json_name);
        pairs.text("account_purpose", purpose);
        pairs.expected_payments(answers.expected_monthly_payments);
        let employment = chosen(answers.employment_status).map(v1::EmploymentStatus::json_name);
        pairs.text("employment_status", employment);
        pairs.text("occupation", filled(&answers.occupation));
        pairs.text("current_employer", filled(&answers.current_employer));
        pairs.text("income_source", filled(&answers.income_source));
        let immigration = chosen(answers.immigration_status).map(v1::ImmigrationStatus::json_name);
        pairs.text("immigration_status", immigration);
    }
    pairs.tax_ids(&user.identifying_information);
    pairs.over(user.metadata.take())
}

/// Takes the client's own pairs out of the profile and adds the business's.
pub(super) fn of_business(user: &mut v1::Business) -> Struct {
    let mut pairs = Pairs::default();
    pairs.text("external_id", filled(&user.external_id));
    if let Some(answers) = &user.compliance {
        pairs.flag("pep_status", answers.pep_status);
        let source = chosen(answers.source_of_funds).map(v1::BusinessSourceOfFunds::json_name);
        pairs.text("source_of_funds", source);
        let purpose = chosen(answers.account_purpose).map(v1::BusinessAccountPurpose::json_name);
        pairs.text("account_purpose", purpose);
        pairs.expected_payments(answers.expected_monthly_payments);
        pairs.flag("has_material_intermediary_ownership", answers.has_material_intermediary_ownership);
    }
    // The top level comes first: where an entry brings the same identifier with another number, this one is shown.
    pairs.text("ein", filled(&user.ein));
    pairs.text("rfc", filled(&user.rfc));
    pairs.text("cnpj", filled(&user.cnpj));
    pairs.tax_ids(&user.identifying_information);
    pairs.over(user.metadata.take())
}

/// The pairs that the service adds. The first value of a key stays.
#[derive(Default)]
struct Pairs(BTreeMap<String, Value>);

impl Pairs {
    fn text(&mut self, key: &str, value: Option<&str>) {
        self.add(key, value.map(|value| Kind::StringValue(value.to_owned())));
    }

    fn flag(&mut self, key: &str, value: Option<bool>) {
        self.add(key, value.map(Kind::BoolValue));
    }

    fn add(&mut self, key: &str, kind: Option<Kind>) {
        if kind.is_some() {
            self.0.entry(key.to_owned()).or_insert(Value { kind });
        }
    }

    fn expected_payments(&mut self, number: Option<i32>) {
        let expected = chosen(number).map(v1::ExpectedMonthlyPayments::json_name);
        self.text("expected_monthly_payments", expected);
    }

    /// One key per kind of tax ID, with the number as it was sent.
    fn tax_ids(&mut self, entries: &[v1::Identification]) {
        for entry in entries.iter().filter(|entry| entry.r#type().category() == "tax_id") {
            self.text(entry.r#type().json_name(), filled(&entry.number));
        }
    }

    fn over(self, own: Option<Struct>) -> Struct {
        let mut fields = own.unwrap_or_default().fields;
        fields.extend(self.0);
        Struct { fields }
    }
}
