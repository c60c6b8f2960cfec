//! Checks of whether what a user says of itself can be true: offline, of consistency, never of identity
//! (`assurance: data_consistency`). A clean result says that nothing contradicts itself, not who the user is.
//!
//! A check is a name and a function in one table, [`CHECKS`]; adding one is adding a line. What it finds names a field,
//! never a value: codes and messages are fixed texts.

mod calling_codes;
mod dossier;
mod facts;
mod files;
pub mod identifiers;
mod numbers;
mod people;
#[cfg(test)]
mod tests;
mod validity;

use chrono::NaiveDate;

pub use dossier::{AssociatedPerson, Dossier, File, Identification, IdentificationKind, Nature, Party, Sex, Side};
pub use files::{Defect, Inspection};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A human should look.
    Soft,
    /// It cannot be true, or is against the law: reason enough to reject.
    Hard,
}

/// Something that a check found. It holds no personal value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// What was found, for programs.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The field that is the evidence, as requests name it: `identifying_information.0.number`.
    pub path: String,
    /// What was found, for people.
    pub message: &'static str,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// There was something to check, and nothing was found.
    Passed,
    /// Something was found.
    Failed,
    /// There was nothing to check.
    NotApplicable,
}

impl Outcome {
    /// The name that reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// What all checks say of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Every check with how it ended, in the order of the table.
    pub outcomes: Vec<(&'static str, Outcome)>,
    /// Everything found, in the order of the table.
    pub findings: Vec<Finding>,
}

/// A named check. The day is the one on which the user is judged, in UTC.
struct Check {
    name: &'static str,
    run: fn(&Dossier, NaiveDate, &mut Examination),
}

const fn check(name: &'static str, run: fn(&Dossier, NaiveDate, &mut Examination)) -> Check {
    Check { name, run }
}

/// Every check, in the order in which reports show them.
const CHECKS: &[Check] = &[
    check("curp", numbers::curp),
    check("rfc", numbers::rfc),
    check("cpf", numbers::cpf),
    check("cnpj", numbers::cnpj),
    check("nit", numbers::nit),
    check("ssn", numbers::ssn),
    check("itin", numbers::itin),
    check("ein", numbers::ein),
    check("curp_facts", facts::curp),
    check("rfc_facts", facts::rfc),
    check("issuing_country", facts::issuing_country),
    check("one_number_of_a_kind", facts::one_number_of_a_kind),
    check("phone_country", facts::phone_country),
    check("expiry", validity::expiry),
    check("age", validity::age),
    check("formation_date", validity::formation_date),
    check("ownership", people::ownership),
    check("control_person", people::control_person),
    check("files", files::content),
    check("front_and_back", files::front_and_back),
];

/// Runs every check.
#[must_use]
pub fn evaluate(dossier: &Dossier, today: NaiveDate) -> Evaluation {
    let mut evaluation = Evaluation { outcomes: Vec::with_capacity(CHECKS.len()), findings: Vec::new() };
    for check in CHECKS {
        let mut examination = Examination { check: check.name, applied: false, findings: Vec::new() };
        (check.run)(dossier, today, &mut examination);
        evaluation.outcomes.push((check.name, examination.outcome()));
        evaluation.findings.append(&mut examination.findings);
    }
    evaluation
}

/// What one check notes down.
struct Examination {
    check: &'static str,
    applied: bool,
    findings: Vec<Finding>,
}

impl Examination {
    /// Notes that there is something to check.
    const fn applies(&mut self) {
        self.applied = true;
    }

    fn hard(&mut self, code: &'static str, path: String, message: &'static str) {
        self.find(Severity::Hard, code, path, message);
    }

    fn soft(&mut self, code: &'static str, path: String, message: &'static str) {
        self.find(Severity::Soft, code, path, message);
    }

    fn find(&mut self, severity: Severity, code: &'static str, path: String, message: &'static str) {
        self.findings.push(Finding { check: self.check, code, severity, path, message });
    }

    const fn outcome(&self) -> Outcome {
        match (self.findings.is_empty(), self.applied) {
            (false, _) => Outcome::Failed,
            (true, true) => Outcome::Passed,
            (true, false) => Outcome::NotApplicable,
        }
    }
}
