//! The specification's tables: every field with the kind of values that it takes.

use serde_json::{Value, json};

use super::values;
use crate::api::support::bodies::{business, individual, passport, person, with};

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text with this maximum number of characters.
    Text(usize),
    Email,
    Phone,
    Date,
    Country,
    Url,
    Boolean,
    /// A percentage.
    Percent,
    /// One of a list.
    OneOf(&'static str),
    Object,
    Array,
}

/// A field: where it is, what it takes, whether it must be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// The fields of one table, and where they are in a body that is good but for them.
pub(super) struct Table {
    pub(super) body: Value,
    /// Before every name.
    pub(super) prefix: &'static str,
    pub(super) fields: Vec<Field>,
}

const NAME: Kind = Kind::Text(255);
const FREE: Kind = Kind::Text(1024);

/// All tables.
pub(super) fn tables() -> Vec<Table> {
    let mut document = with(&individual(), "identifying_information", json!([passport()]));
    document["identifying_information"][0]["documents"] = json!([crate::api::support::bodies::document()]);
    let mut persons_entry = with(&business(), "associated_persons", json!([person()]));
    persons_entry["associated_persons"][0]["identifying_information"] = json!([passport()]);
    vec![
        Table { body: individual(), prefix: "", fields: [shared(), of_individual()].concat() },
        Table { body: business(), prefix: "", fields: [shared(), of_business()].concat() },
        Table {
            body: with(&individual(), "identifying_information", json!([passport()])),
            prefix: "identifying_information.0.",
            fields: of_identification(),
        },
        Table { body: document, prefix: "identifying_information.0.documents.0.", fields: of_document() },
        Table {
            body: with(&business(), "documents", json!([crate::api::support::bodies::document()])),
            prefix: "documents.0.",
            fields: of_document(),
        },
        Table {
            body: with(&business(), "associated_persons", json!([person()])),
            prefix: "associated_persons.0.",
            fields: of_person(),
        },
        Table {
            body: persons_entry,
            prefix: "associated_persons.0.identifying_information.0.",
            fields: of_identification(),
        },
        Table {
            body: with(&individual(), "additional_info", json!({})),
            prefix: "additional_info.",
            fields: of_additional_info(),
        },
        Table {
            body: with(&business(), "additional_info", json!({})),
            prefix: "additional_info.",
            fields: of_additional_info(),
        },
    ]
}

/// Of individuals and businesses alike.
fn shared() -> Vec<Field> {
    vec![
        required("email", Kind::Email),
        optional("phone", Kind::Phone),
        optional("external_id", FREE),
        optional("address_street", FREE),
        optional("address_street_2", FREE),
        optional("address_city", FREE),
        optional("address_state", FREE),
        optional("address_zip_code", FREE),
        optional("address_country", Kind::Country),
        optional("document_type", Kind::OneOf(values::IDENTIFICATION)),
        optional("document_number", FREE),
        optional("document_country", Kind::Country),
        optional("identifying_information", Kind::Array),
        optional("pep_status", Kind::Boolean),
        optional("expected_monthly_payments", Kind::OneOf(values::MONTHLY_PAYMENTS)),
        optional("additional_info", Kind::Object),
        optional("metadata", Kind::Object),
        optional("documents", Kind::Array),
    ]
}

fn of_individual() -> Vec<Field> {
    vec![
        required("first_name", NAME),
        required("last_name", NAME),
        optional("middle_name", NAME),
        optional("birth_date", Kind::Date),
        optional("nationality", Kind::Country),
        optional("gender", Kind::OneOf(values::GENDER)),
        optional("source_of_funds", Kind::OneOf(values::FUNDS)),
        optional("account_purpose", Kind::OneOf(values::PURPOSE)),
        optional("employment_status", Kind::OneOf(values::EMPLOYMENT)),
        optional("current_employer", FREE),
        optional("income_source", FREE),
        optional("occupation", FREE),
        optional("immigration_status", Kind::OneOf("immigration")),
    ]
}

fn of_business() -> Vec<Field> {
    vec![
        required("business_legal_name", NAME),
        optional("business_trade_name", NAME),
        optional("doing_business_as", NAME),
        optional("business_type", Kind::OneOf(values::BUSINESS_TYPE)),
        optional("business_description", FREE),
        optional("business_industry", Kind::Array),
        optional("business_website", Kind::Url),
        optional("formation_date", Kind::Date),
        optional("formation_state", FREE),
        optional("formation_country", Kind::Country),
        optional("ein", FREE),
        optional("rfc", FREE),
        optional("cnpj", FREE),
        optional("representative_first_name", NAME),
        optional("representative_last_name", NAME),
        optional("representative_title", NAME),
        optional("representative_birth_date", Kind::Date),
        optional("representative_ssn", FREE),
        optional("associated_persons", Kind::Array),
        optional("source_of_funds", Kind::OneOf(values::BUSINESS_FUNDS)),
        optional("account_purpose", Kind::OneOf(values::BUSINESS_PURPOSE)),
        optional("has_material_intermediary_ownership", Kind::Boolean),
    ]
}

fn of_identification() -> Vec<Field> {
    vec![
        required("type", Kind::OneOf(values::IDENTIFICATION)),
        required("issuing_country", Kind::Country),
        optional("number", FREE),
        optional("expiration", Kind::Date),
        optional("description", FREE),
        optional("documents", Kind::Array),
    ]
}

fn of_document() -> Vec<Field> {
    vec![required("type", Kind::OneOf(values::DOCUMENT)), optional("description", FREE)]
}

fn of_person() -> Vec<Field> {
    vec![
        required("first_name", NAME),
        required("last_name", NAME),
        optional("middle_name", NAME),
        optional("email", Kind::Email),
        optional("birth_date", Kind::Date),
        optional("nationality", Kind::Country),
        optional("title", NAME),
        optional("has_ownership", Kind::Boolean),
        optional("ownership_percentage", Kind::Percent),
        optional("has_control", Kind::Boolean),
        optional("is_signer", Kind::Boolean),
        optional("ssn", FREE),
        optional("address_street", FREE),
        optional("address_street_2", FREE),
        optional("address_city", FREE),
        optional("address_state", FREE),
        optional("address_zip_code", FREE),
        optional("address_country", Kind::Country),
        optional("identifying_information", Kind::Array),
    ]
}

fn of_additional_info() -> Vec<Field> {
    vec![
        optional("has_us_bank_account", Kind::OneOf(values::YES_NO)),
        optional("has_denied_bank_account", Kind::OneOf(values::YES_NO)),
        optional("denied_bank_account_explain", FREE),
        optional("past_owner_interaction", Kind::OneOf(values::YES_NO)),
        optional("past_owner_interaction_explain", FREE),
        optional("any_politically_exposed_person", Kind::OneOf(values::YES_NO)),
        optional("any_politically_exposed_person_explain", FREE),
        optional("past_business_interaction", Kind::OneOf(values::YES_NO)),
        optional("past_business_interaction_explain", FREE),
    ]
}
