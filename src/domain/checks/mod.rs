//! Checks of whether what a user says of itself can be true: offline, of consistency, never of identity
//! (`assurance: data_consistency`). A clean result says that nothing contradicts itself, not who the user is.
//!
//! A check is a name and a function in one table, [`CHECKS`]; adding one is adding a line. What it finds names a field,
//! never a value: codes and messages are fixed texts.

mod applicant;
mod calling_codes;
mod facts;
mod files;
pub mod identifiers;
mod numbers;
mod people;
#[cfg(test)]
mod tests;
mod validity;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};

pub use applicant::{
    Applicant, AssociatedPerson, EntityKind, File, IdentificationData, IdentificationScheme, PartyData, Sex, Side,
};
pub use files::{Defect, Inspection};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A human should look.
    Soft,
    /// It cannot be true, or is against the law: reason enough to reject. What a check cannot read, another way of
    /// writing and another time zone are no such thing.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// There was something to check, and nothing was found.
    Passed,
    /// Something was found.
    Failed,
    /// There was nothing to check.
    NotApplicable,
}

/// What all checks say of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Every check with how it ended, in the order of the table.
    pub outcomes: Vec<(&'static str, Outcome)>,
    /// Everything found, in the order of the table.
    pub findings: Vec<Finding>,
}

/// The calendar days at a moment: it is not the same day everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days {
    /// Where the day is earliest, UTC−12: a day before this one is over everywhere.
    earliest: NaiveDate,
    /// Where the day is latest, UTC+14: a day after this one has begun nowhere.
    latest: NaiveDate,
}

impl Days {
    fn at(now: DateTime<Utc>) -> Self {
        let day = |hours: i32| {
            let offset = FixedOffset::east_opt(hours * 3600);
            offset.map_or(now.date_naive(), |offset| now.with_timezone(&offset).date_naive())
        };
        Self { earliest: day(-12), latest: day(14) }
    }
}

/// A named check. The days are those on which the user is judged.
struct Check {
    name: &'static str,
    run: fn(&Applicant, Days, &mut CheckContext),
}

const fn check(name: &'static str, run: fn(&Applicant, Days, &mut CheckContext)) -> Check {
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

/// Runs every check, as of a moment.
#[must_use]
pub fn evaluate(applicant: &Applicant, now: DateTime<Utc>) -> Evaluation {
    let days = Days::at(now);
    let mut evaluation = Evaluation { outcomes: Vec::with_capacity(CHECKS.len()), findings: Vec::new() };
    for check in CHECKS {
        let mut context = CheckContext { check: check.name, applied: false, findings: Vec::new() };
        (check.run)(applicant, days, &mut context);
        evaluation.outcomes.push((check.name, context.outcome()));
        evaluation.findings.append(&mut context.findings);
    }
    evaluation
}

/// What one check notes down.
struct CheckContext {
    check: &'static str,
    applied: bool,
    findings: Vec<Finding>,
}

impl CheckContext {
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
