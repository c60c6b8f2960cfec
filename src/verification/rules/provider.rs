//! The checks as a provider.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Finding, RuleOutcome, RulesReport, check, inspect};
use crate::contract::v1;
use crate::domain::checks::{Inspection, Severity};
use crate::domain::verification::{Assurance, Decision, Outcome, Reason};
use crate::profile;
use crate::verification::{Case, Progress, Provider, ProviderError, ProviderResponse};

/// The name that is kept with attempts.
const NAME: &str = "rules";

/// How much of a case is inspected. A person decides about the rest: other cases must not wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most documents.
    pub documents: usize,
    /// The time that looking into files may take, without waiting for them.
    pub time: Duration,
}

impl Default for Budget {
    /// Far above what a user brings.
    fn default() -> Self {
        Self { documents: 200, time: Duration::from_secs(30) }
    }
}

/// The provider `rules`.
#[derive(Clone, Debug)]
pub struct Rules {
    auto_approve: bool,
    budget: Budget,
    /// Lets as many files be looked into at once as there are processors, within bounds: each may take 100 MiB, and more
    /// of them would only slow each other down.
    inspections: Arc<Semaphore>,
}

impl Rules {
    /// With `auto_approve` a user without findings is VERIFIED, although no one has checked its
    /// identity; else a person has to confirm it.
    #[must_use]
    pub fn new(auto_approve: bool, budget: Budget) -> Self {
        let at_once = available_parallelism().map_or(2, usize::from).clamp(2, 8);
        Self { auto_approve, budget, inspections: Arc::new(Semaphore::new(at_once)) }
    }

    fn outcome(&self, report: &RulesReport) -> Outcome {
        let assurance = Assurance::DataConsistency;
        let reasons = || report.findings.iter().map(reason).collect::<Vec<_>>();
        match report.outcome() {
            RuleOutcome::Clean if self.auto_approve => Outcome::verified(assurance),
            RuleOutcome::Clean => Outcome::review(
                assurance,
                Reason::new("identity_not_checked", "The data is consistent; a person has to confirm the identity"),
            ),
            RuleOutcome::Review => Outcome { decision: Decision::Review, assurance, reasons: reasons() },
            RuleOutcome::Reject => Outcome { decision: Decision::Rejected, assurance, reasons: reasons() },
        }
    }
}

#[tonic::async_trait]
impl Provider for Rules {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn verify(&self, case: &Case) -> Result<ProviderResponse, ProviderError> {
        let mut files = Vec::new();
        let mut spent = Duration::ZERO;
        let documents = profile::documents(&case.profile);
        let is_many = documents.len() > self.budget.documents;
        // One after the other: each may be 10 MiB, and decoding takes more.
        for document in documents.into_iter().filter(|_| !is_many) {
            if spent >= self.budget.time {
                break;
            }
            let Ok(id) = Uuid::try_parse(&document.id) else { continue };
            let content = case.content(document).await?;
            // The semaphore is never closed.
            let _turn = self.inspections.acquire().await;
            let (inspection, took) = examine(document.media_type(), content).await;
            spent += took;
            files.extend(inspection.map(|inspection| (id, inspection)));
        }
        let mut report = check(&case.profile, &files, case.now);
        if is_many || spent >= self.budget.time {
            report.add(TOO_COMPLEX);
        }
        let raw = Some(evidence(&report).to_string().into_bytes());
        Ok(ProviderResponse { progress: Progress::Decided(self.outcome(&report)), reference: None, raw })
    }

    /// Far above its own, which leaves out the reading of files and the turns of others: a case must not fail because
    /// others take long.
    fn budget(&self) -> Duration {
        self.budget.time * 10
    }

    /// One file at a time.
    fn memory(&self, case: &Case) -> u64 {
        case.file_sizes().max().unwrap_or_default()
    }
}

/// What goes beyond the budget.
const TOO_COMPLEX: Finding = Finding {
    check: "budget",
    code: "too_complex",
    severity: Severity::Soft,
    path: String::new(),
    message: "The files are more than what is looked into automatically",
};

/// What a file is found to be, elsewhere: decoding takes long; and how long it took. None where it could not be
/// examined, which is a finding of its own.
async fn examine(media_type: v1::MediaType, content: Vec<u8>) -> (Option<Inspection>, Duration) {
    let examined = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        (inspect(media_type, &content), begun.elapsed())
    });
    examined.await.map_or((None, Duration::ZERO), |(inspection, took)| (Some(inspection), took))
}

fn reason(finding: &Finding) -> Reason {
    let path = Some(finding.path.clone()).filter(|path| !path.is_empty());
    Reason { path, ..Reason::new(finding.code, finding.message) }
}

/// Every check with how it ended, and every finding: what is kept sealed beside the attempt.
fn evidence(report: &RulesReport) -> serde_json::Value {
    let severity = |severity: Severity| match severity {
        Severity::Soft => "soft",
        Severity::Hard => "hard",
    };
    json!({
        "checks": report.outcomes.iter().map(|(name, outcome)| json!({"check": name, "outcome": <&str>::from(outcome)}))
            .collect::<Vec<_>>(),
        "findings": report.findings.iter().map(|finding| json!({
            "check": finding.check,
            "code": finding.code,
            "severity": severity(finding.severity),
            "path": finding.path,
        })).collect::<Vec<_>>(),
    })
}
