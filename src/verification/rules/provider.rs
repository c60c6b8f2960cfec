//! The checks as a provider.

use serde_json::json;
use uuid::Uuid;

use super::{Finding, RulesReport, Verdict as Found, check, inspect};
use crate::contract::v1;
use crate::domain::checks::{Inspection, Severity};
use crate::domain::verification::{Assurance, Decision, Outcome, Reason};
use crate::profile;
use crate::verification::{Answer, Case, Provider, ProviderError, Verdict};

/// The name that is kept with attempts.
const NAME: &str = "rules";

/// The provider `rules`.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    auto_approve: bool,
}

impl Rules {
    /// With `auto_approve` a user of whom nothing speaks against is VERIFIED, although nobody has looked at its
    /// identity; else a person has to confirm it.
    #[must_use]
    pub const fn new(auto_approve: bool) -> Self {
        Self { auto_approve }
    }

    fn outcome(self, report: &RulesReport) -> Outcome {
        let assurance = Assurance::DataConsistency;
        let reasons = || report.findings.iter().map(reason).collect::<Vec<_>>();
        match report.verdict() {
            Found::Clean if self.auto_approve => Outcome::verified(assurance),
            Found::Clean => Outcome::review(
                assurance,
                Reason::new("identity_not_checked", "The data is consistent; a person has to confirm the identity"),
            ),
            Found::Review => Outcome { decision: Decision::Review, assurance, reasons: reasons() },
            Found::Reject => Outcome { decision: Decision::Rejected, assurance, reasons: reasons() },
        }
    }
}

#[tonic::async_trait]
impl Provider for Rules {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn verify(&self, case: &Case) -> Result<Answer, ProviderError> {
        let mut files = Vec::new();
        // One after the other: each may be 10 MiB, and decoding takes more.
        for document in profile::documents(&case.profile) {
            let Ok(id) = Uuid::try_parse(&document.id) else { continue };
            let content = case.content(document).await?;
            files.extend(examine(document.media_type(), content).await.map(|inspection| (id, inspection)));
        }
        let report = check(&case.profile, &files, case.now.date_naive());
        let raw = Some(evidence(&report).to_string().into_bytes());
        Ok(Answer { verdict: Verdict::Decided(self.outcome(&report)), reference: None, raw })
    }
}

/// What a file is found to be, elsewhere: decoding takes long. None where it could not be examined, which is a finding
/// of its own.
async fn examine(media_type: v1::MediaType, content: Vec<u8>) -> Option<Inspection> {
    tokio::task::spawn_blocking(move || inspect(media_type, &content)).await.ok()
}

fn reason(finding: &Finding) -> Reason {
    Reason { path: Some(finding.path.clone()), ..Reason::new(finding.code, finding.message) }
}

/// Every check with how it ended, and every finding: what is kept sealed beside the attempt.
fn evidence(report: &RulesReport) -> serde_json::Value {
    let severity = |severity: Severity| match severity {
        Severity::Soft => "soft",
        Severity::Hard => "hard",
    };
    json!({
        "checks": report.outcomes.iter().map(|(name, outcome)| json!({"check": name, "outcome": outcome.as_str()}))
            .collect::<Vec<_>>(),
        "findings": report.findings.iter().map(|finding| json!({
            "check": finding.check,
            "code": finding.code,
            "severity": severity(finding.severity),
            "path": finding.path,
        })).collect::<Vec<_>>(),
    })
}
