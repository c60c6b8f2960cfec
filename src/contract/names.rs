//! Stands in until the generator writes `json_name` and `category` on the enums; deleted when it does.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::v1;

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

fn name(full: &'static str, prefix: &str) -> &'static str {
    let name = match full {
        "PRODUCT_CODE_USA_VIRTUAL_ACCOUNTS" => "usa-virtual-accounts".to_owned(),
        "PRODUCT_CODE_USA_VIRTUAL_ACCOUNTS_ACT" => "usa-virtual-accounts-act".to_owned(),
        "IMMIGRATION_STATUS_PERMANENT_RESIDENT" => "Permanent U.S. Resident".to_owned(),
        "IMMIGRATION_STATUS_NON_PERMANENT_RESIDENT" => "Non-Permanent U.S. Resident".to_owned(),
        "IMMIGRATION_STATUS_NON_RESIDENT" => "Non-Resident of U.S.".to_owned(),
        _ => full.strip_prefix(prefix).unwrap_or(full).to_lowercase(),
    };
    let mut names = NAMES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let leaked: &'static str = name.leak();
    names.insert(leaked);
    leaked
}

macro_rules! names {
    ($($kind:ident = $prefix:literal,)*) => {
        $(impl v1::$kind { pub fn json_name(self) -> &'static str { name(self.as_str_name(), $prefix) } })*
    };
}

names! {
    IndividualSourceOfFunds = "INDIVIDUAL_SOURCE_OF_FUNDS_",
    IndividualAccountPurpose = "INDIVIDUAL_ACCOUNT_PURPOSE_",
    BusinessSourceOfFunds = "BUSINESS_SOURCE_OF_FUNDS_",
    BusinessAccountPurpose = "BUSINESS_ACCOUNT_PURPOSE_",
    ExpectedMonthlyPayments = "EXPECTED_MONTHLY_PAYMENTS_",
    EmploymentStatus = "EMPLOYMENT_STATUS_",
    ImmigrationStatus = "IMMIGRATION_STATUS_",
    IdentificationType = "IDENTIFICATION_TYPE_",
}

impl v1::IdentificationType {
    pub fn category(self) -> &'static str {
        match self as i32 {
            1 | 6 => "government_id",
            2..=5 | 7..=8 => "government_id_two_sided",
            9..=16 | 20..=21 => "tax_id",
            17..=19 => "document",
            _ => "",
        }
    }
}
