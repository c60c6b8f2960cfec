//! Products, and which of them a user may have (decisions, section 4).

use std::fmt;

use uuid::{Uuid, uuid};

use super::requirements::{Report, Target};
use super::status::Status;

/// The products whose requirements are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProductCode {
    /// Virtual accounts in the USA.
    UsaVirtualAccounts,
    /// Virtual accounts.
    VirtualAccount,
    /// Payouts.
    Payout,
    /// Virtual accounts in the USA through ACT; not in the default catalogue.
    UsaVirtualAccountsAct,
}

/// A text that names no known product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the code of a known product")]
pub struct UnknownProduct;

impl ProductCode {
    /// Every known product.
    pub const ALL: [Self; 4] =
        [Self::UsaVirtualAccounts, Self::VirtualAccount, Self::Payout, Self::UsaVirtualAccountsAct];

    /// The documented code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UsaVirtualAccounts => "usa-virtual-accounts",
            Self::VirtualAccount => "virtual_account",
            Self::Payout => "payout",
            Self::UsaVirtualAccountsAct => "usa-virtual-accounts-act",
        }
    }
}

impl fmt::Display for ProductCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ProductCode {
    type Err = UnknownProduct;

    fn from_str(text: &str) -> Result<Self, UnknownProduct> {
        Self::ALL.into_iter().find(|code| code.as_str() == text).ok_or(UnknownProduct)
    }
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
    use crate::domain::requirements::{Kind, Subject, report};

    #[test]
    fn every_product_code_is_read_back_from_its_text() {
        for code in ProductCode::ALL {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        assert_eq!("USA-virtual-accounts".parse::<ProductCode>(), Err(UnknownProduct));
    }

    #[test]
    fn the_default_catalogue_is_the_documented_three_in_their_order() {
        let codes: Vec<_> = Catalogue::default().codes().map(ProductCode::as_str).collect();
        assert_eq!(codes, ["usa-virtual-accounts", "virtual_account", "payout"]);
    }

    #[test]
    fn a_product_without_requirements_is_for_the_verified_alone() {
        let report = report(&Subject::new(Kind::Individual), Catalogue::default().codes());
        for status in Status::ALL {
            assert_eq!(eligible(status, &report, ProductCode::Payout), status == Status::Verified, "{status}");
        }
    }

    #[test]
    fn a_verified_user_does_not_get_a_product_for_which_something_is_missing() {
        let report = report(&Subject::new(Kind::Individual), Catalogue::default().codes());
        assert!(!eligible(Status::Verified, &report, ProductCode::UsaVirtualAccounts));
    }

    #[test]
    fn a_report_that_does_not_speak_of_a_product_grants_nothing() {
        let report = report(&Subject::new(Kind::Individual), []);
        assert!(!eligible(Status::Verified, &report, ProductCode::Payout));
    }
}
