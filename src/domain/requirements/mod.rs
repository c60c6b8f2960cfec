//! What a user must bring: facts in, for every target what is complete and what is missing out.

mod standing;
mod subject;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt;

pub use super::user_type::UserType;
pub use standing::{Issue, Lists, LocatedReason, Standing, standing};
pub use subject::{
    Category, DocumentKind, Documents, Field, Fields, Identification, IdentificationKind, Party, Residence, Subject,
};

use super::eligibility::ProductCode;
use tables::{Fact, Requirement, Requirements, Whom};

/// What requirements are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// Automatic verification.
    Verification,
    /// A product.
    Product(ProductCode),
}

impl Target {
    /// The key of the target in `missing_fields`: `verification` or the product's code.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::Product(code) => code.into_str(),
        }
    }
}

/// One requirement, of the user itself or of one associated person. Prints as decisions, section 4 writes it:
/// `occupation`, `identifying_information:ssn`, `associated_persons.0:identifying_information:front`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The index of the associated person; none for the user itself.
    pub person: Option<usize>,
    /// What is asked for.
    pub name: &'static str,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.person {
            Some(index) => write!(f, "associated_persons.{index}:{}", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// What one target asks for, in the order of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// What the requirements are for.
    pub target: Target,
    /// What is there.
    pub complete: Vec<Token>,
    /// What is still needed.
    pub missing: Vec<Token>,
}

impl Findings {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    fn judge(&mut self, subject: &Subject, requirements: Requirements) {
        self.judge_party(subject, None, &subject.own, requirements.own);
        for (index, person) in subject.persons.iter().enumerate() {
            self.judge_party(subject, Some(index), person, requirements.persons);
        }
    }

    fn judge_party(&mut self, subject: &Subject, person: Option<usize>, party: &Party, rows: &[Requirement]) {
        for row in rows.iter().filter(|row| concerns(row.of, subject)) {
            let satisfied = row.any_of.iter().any(|fact| holds(*fact, subject, party));
            let list = if satisfied { &mut self.complete } else { &mut self.missing };
            list.push(Token { person, name: row.name });
        }
    }
}

/// What each target asks for: verification first, then the products in the order asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    verification: Findings,
    products: Vec<Findings>,
}

impl Report {
    /// What automatic verification asks for.
    #[must_use]
    pub const fn verification(&self) -> &Findings {
        &self.verification
    }

    /// Whether the user brings all that automatic verification needs: then a create triggers it.
    #[must_use]
    pub fn triggers_verification(&self) -> bool {
        self.verification.is_complete()
    }

    /// What the target asks for; none where the report was not made for it.
    #[must_use]
    pub fn target(&self, target: Target) -> Option<&Findings> {
        self.targets().find(|findings| findings.target == target)
    }

    /// All targets.
    pub fn targets(&self) -> impl Iterator<Item = &Findings> {
        std::iter::once(&self.verification).chain(&self.products)
    }

    /// The targets for which something is missing, by name, each with what.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, Vec<String>)> + '_ {
        self.targets()
            .filter(|findings| !findings.is_complete())
            .map(|findings| (findings.target.name(), findings.missing.iter().map(Token::to_string).collect()))
    }
}

/// Judges a user for automatic verification and for these products.
#[must_use]
pub fn report(subject: &Subject, products: impl IntoIterator<Item = ProductCode>) -> Report {
    let mut verification = Findings { target: Target::Verification, complete: Vec::new(), missing: Vec::new() };
    verification.judge(subject, tables::verification(subject.kind));
    let products = products.into_iter().map(|code| {
        let requirements = tables::product(code, subject.kind);
        let target = Target::Product(code);
        let mut findings = if requirements.verification {
            Findings { target, ..verification.clone() }
        } else {
            Findings { target, complete: Vec::new(), missing: Vec::new() }
        };
        findings.judge(subject, requirements.further);
        findings
    });
    let products = products.collect();
    Report { verification, products }
}

fn concerns(whom: Whom, subject: &Subject) -> bool {
    let usa = subject.residence == Residence::Usa;
    match whom {
        Whom::Everyone => true,
        Whom::Usa => usa,
        Whom::International => !usa,
        Whom::Employed => subject.employed,
        Whom::InternationalDeniedBankAccount => !usa && subject.denied_bank_account,
    }
}

fn holds(fact: Fact, subject: &Subject, party: &Party) -> bool {
    let numbered_government_id =
        |party: &Party| party.identifications.iter().any(|entry| entry.is_government_id() && entry.numbered);
    match fact {
        Fact::Has(field) => party.fields.has(field),
        Fact::HasIn(field, residence) => party.fields.has(field) && subject.residence == residence,
        Fact::Number(kind) => party.identifications.iter().any(|entry| entry.kind == kind && entry.numbered),
        Fact::NumberedGovernmentId => numbered_government_id(party),
        Fact::PersonsNumberedGovernmentId => subject.persons.iter().any(numbered_government_id),
        Fact::Document(kind) => {
            subject.documents.has(kind) || party.identifications.iter().any(|entry| entry.documents.has(kind))
        }
        Fact::GovernmentIdFront => fronts(party).next().is_some(),
        Fact::GovernmentIdAllSides => {
            fronts(party).next().is_none()
                || fronts(party).any(|entry| {
                    entry.kind == IdentificationKind::GovernmentId || entry.documents.has(DocumentKind::Back)
                })
        }
        Fact::AssociatedPerson => !subject.persons.is_empty(),
    }
}

/// The Government IDs with a front.
fn fronts(party: &Party) -> impl Iterator<Item = &Identification> {
    party.identifications.iter().filter(|entry| entry.is_government_id() && entry.documents.has(DocumentKind::Front))
}
