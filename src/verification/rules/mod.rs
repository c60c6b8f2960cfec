//! The offline provider: checks of a stored user and its files.
//!
//! What it can show is consistency, never identity. It reads the bytes of files with [`inspect()`] and leaves the rest to
//! [`crate::domain::checks`].

mod applicant;
mod inspect;
mod provider;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::contract::storage::profile::User as Profile;
use crate::domain::checks::{self, Evaluation, Severity};

pub use crate::domain::checks::{Defect, Finding, Inspection, Outcome};
pub use inspect::inspect;
pub use provider::{Budget, Rules};

/// What the checks say of a user. It holds no personal value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesReport {
    /// Every check with how it ended, in a fixed order.
    pub outcomes: Vec<(&'static str, Outcome)>,
    /// Everything found.
    pub findings: Vec<Finding>,
}

/// The outcome of the rules (decisions, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// No findings. The user is VERIFIED only if the operator has enabled that.
    Clean,
    /// A person should look: REVIEW.
    Review,
    /// Something cannot be true: REJECTED.
    Reject,
}

impl RulesReport {
    /// The outcome of the findings.
    #[must_use]
    pub fn outcome(&self) -> RuleOutcome {
        match self.findings.iter().map(|finding| finding.severity).max() {
            None => RuleOutcome::Clean,
            Some(Severity::Soft) => RuleOutcome::Review,
            Some(Severity::Hard) => RuleOutcome::Reject,
        }
    }

    /// Adds why not all files were looked into, in place of a finding for each of those.
    fn add(&mut self, finding: Finding) {
        self.findings.retain(|found| found.code != "not_inspected");
        self.findings.push(finding);
    }
}

/// Checks a stored user. `files` has what [`inspect()`] found, by the identifier of the document: a file of the profile
/// that is not among them counts as one that could not be examined. `now` is the moment of the attempt.
#[must_use]
pub fn check(profile: &Profile, files: &[(Uuid, Inspection)], now: DateTime<Utc>) -> RulesReport {
    let inspections = files.iter().map(|(id, inspection)| (*id, inspection)).collect();
    let Evaluation { outcomes, findings } = checks::evaluate(&applicant::build(profile, &inspections), now);
    RulesReport { outcomes, findings }
}
