//! The dry run of a create: the result, with nothing stored.

use tonic::Status;

use super::convert::missing_fields;
use super::users::{Users, total_document_bytes};
use crate::contract::v1;
use crate::contract::v1::create_user_request::User as Create;
use crate::contract::v1::validate_user_request::User as Validate;
use crate::domain::requirements::{Findings, Token, report};
use crate::profile::Profile;
use crate::profile::subject::subject;

impl Users {
    /// What creating this user, whose rules have been checked, would find.
    ///
    /// # Errors
    /// INVALID_ARGUMENT where it has more documents than a request may.
    pub(super) fn validate(&self, user: Validate) -> Result<v1::ValidateUserResponse, Status> {
        let user = match user {
            Validate::Individual(individual) => Create::Individual(individual),
            Validate::Business(business) => Create::Business(business),
        };
        total_document_bytes(&user)?;
        let profile = match user {
            Create::Individual(individual) => Profile::Individual(individual),
            Create::Business(business) => Profile::Business(business),
        };
        let report = report(&subject(&profile), self.catalogue.codes());
        Ok(v1::ValidateUserResponse {
            verification_triggered: report.triggers_verification(),
            missing_fields: missing_fields(&report),
            targets: report.targets().map(target_report).collect(),
        })
    }
}

fn target_report(findings: &Findings) -> v1::TargetReport {
    let names = |tokens: &[Token]| tokens.iter().map(Token::to_string).collect();
    v1::TargetReport {
        target: findings.target.name().to_owned(),
        complete: names(&findings.complete),
        missing: names(&findings.missing),
    }
}
