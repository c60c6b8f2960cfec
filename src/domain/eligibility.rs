//! Products, and which of them a user may have (decisions, section 4).

#![allow(missing_docs, reason = "strum derives `into_str` without documentation")]

use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use uuid::{Uuid, uuid};

use super::requirements::{Report, Target};
use super::status::Status;

/// The products whose requirements are known. The texts are the documented codes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(const_into_str)]
pub enum ProductCode {
    /// Virtual accounts in the USA.
    #[strum(serialize = "usa-virtual-accounts")]
    UsaVirtualAccounts,
    /// Virtual accounts.
    #[strum(serialize = "virtual_account")]
    VirtualAccount,
    /// Payouts.
    #[strum(serialize = "payout")]
    Payout,
    /// Virtual accounts in the USA through ACT; not in the default catalogue.
    #[strum(serialize = "usa-virtual-accounts-act")]
    UsaVirtualAccountsAct,
}

/// A product as the operator offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// What clients know it by.
    pub id: Uuid,
    /// Decides what a user must bring for it.
    pub code: ProductCode,
    /// For people.
    pub name: String,
}

/// The products on offer, in the order in which responses list them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue(pub Vec<Product>);

impl Catalogue {
    /// The products, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Product> {
        self.0.iter()
    }

    /// The codes of the products, in order.
    pub fn codes(&self) -> impl Iterator<Item = ProductCode> + '_ {
        self.0.iter().map(|product| product.code)
    }
}

impl Default for Catalogue {
    /// The three products of the specification's response, in its order.
    fn default() -> Self {
        let product = |id, code, name: &str| Product { id, code, name: name.to_owned() };
        Self(vec![
            product(
                uuid!("f4666460-1cb4-4030-8e78-6d67939c1ff1"),
                ProductCode::UsaVirtualAccounts,
                "USA Virtual Accounts",
            ),
            product(uuid!("7be91e3b-be09-48a6-8778-b856d5e0a97d"), ProductCode::VirtualAccount, "Virtual Account"),
            product(uuid!("4d1a6f16-2842-408d-973c-0492e5a59686"), ProductCode::Payout, "Payout"),
        ])
    }
}

/// Whether a user of this status may have the product: VERIFIED, and nothing missing for it.
///
/// A report that was not made for the product says nothing about it, and so grants nothing.
#[must_use]
pub fn eligible(status: Status, report: &Report, product: ProductCode) -> bool {
    status == Status::Verified && report.target(Target::Product(product)).is_some_and(|findings| findings.is_complete())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::requirements::{Subject, UserType, report};

    #[test]
    fn every_product_code_is_read_back_from_its_text() {
        for code in ProductCode::VARIANTS {
            assert_eq!(code.to_string().parse(), Ok(*code));
        }
        assert!("USA-virtual-accounts".parse::<ProductCode>().is_err());
    }

    #[test]
    fn the_default_catalogue_is_the_documented_three_in_their_order() {
        let codes: Vec<_> = Catalogue::default().codes().map(|code| code.into_str()).collect();
        assert_eq!(codes, ["usa-virtual-accounts", "virtual_account", "payout"]);
    }

    #[test]
    fn a_product_without_requirements_is_for_the_verified_alone() {
        let report = report(&Subject::new(UserType::Individual), Catalogue::default().codes());
        for &status in Status::VARIANTS {
            assert_eq!(eligible(status, &report, ProductCode::Payout), status == Status::Verified, "{status}");
        }
    }

    #[test]
    fn a_verified_user_does_not_get_a_product_for_which_something_is_missing() {
        let report = report(&Subject::new(UserType::Individual), Catalogue::default().codes());
        assert!(!eligible(Status::Verified, &report, ProductCode::UsaVirtualAccounts));
    }

    #[test]
    fn a_report_that_does_not_speak_of_a_product_grants_nothing() {
        let report = report(&Subject::new(UserType::Individual), []);
        assert!(!eligible(Status::Verified, &report, ProductCode::Payout));
    }
}
