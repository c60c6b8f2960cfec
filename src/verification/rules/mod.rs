//! The provider that asks nobody: offline checks of a stored user and its files.
//!
//! What it can show is consistency, never identity. It reads the bytes of files with [`inspect()`] and leaves the rest to
//! [`crate::domain::checks`].

mod dossier;
mod inspect;
mod provider;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
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

/// What the findings come to (decisions, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found. That makes nobody VERIFIED unless the operator has said so.
    Clean,
    /// A human should look: REVIEW.
    Review,
    /// Something cannot be true: REJECTED.
    Reject,
}

impl RulesReport {
    /// What the findings come to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.findings.iter().map(|finding| finding.severity).max() {
            None => Verdict::Clean,
            Some(Severity::Soft) => Verdict::Review,
            Some(Severity::Hard) => Verdict::Reject,
        }
    }

    /// Adds why not all files were looked into, in place of a finding for each of those.
    fn add(&mut self, finding: Finding) {
        self.findings.retain(|found| found.code != "not_inspected");
        self.findings.push(finding);
    }
}

/// Checks a stored user. `files` has what [`inspect()`] found, by the identifier of the document: a file of the profile
/// that is not among them counts as one that nobody could examine. `today` is the day of the attempt in UTC.
#[must_use]
pub fn check(profile: &Profile, files: &[(Uuid, Inspection)], today: NaiveDate) -> RulesReport {
    let inspections = files.iter().map(|(id, inspection)| (*id, inspection)).collect();
    let Evaluation { outcomes, findings } = checks::evaluate(&dossier::build(profile, &inspections), today);
    RulesReport { outcomes, findings }
}
