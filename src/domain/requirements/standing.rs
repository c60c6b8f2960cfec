//! Where each requirement stands, in the four lists that integrators know: complete, pending, missing, issues.

use super::{Findings, Report, Token};
use crate::domain::verification::Reason;

/// The lists of one target for the user itself or for one associated person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// What is there.
    pub complete: Vec<&'static str>,
    /// What is there and is being verified.
    pub pending: Vec<&'static str>,
    /// What is still needed.
    pub missing: Vec<&'static str>,
    /// What is there and is questioned.
    pub issues: Vec<Issue>,
}

/// A reason of the user's status at the requirement that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The name of the requirement; None: it is about none.
    pub requirement: Option<&'static str>,
    /// The reason.
    pub reason: Reason,
}

/// Where one target stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it asks of the user itself.
    pub own: Lists,
    /// What it asks of each associated person, by their index.
    pub persons: Vec<Lists>,
}

/// A reason of a status, and what it is about: the index of the associated person, if it is about one, and the names that
/// the requirement may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedReason {
    /// The reason.
    pub reason: Reason,
    /// The associated person.
    pub person: Option<usize>,
    /// What the requirement may be called, the best name first.
    pub names: Vec<String>,
}

impl Standing {
    /// The lists of the user, or of an associated person.
    fn of(&mut self, person: Option<usize>) -> &mut Lists {
        let Some(index) = person else { return &mut self.own };
        if self.persons.len() <= index {
            self.persons.resize_with(index + 1, Lists::default);
        }
        &mut self.persons[index]
    }
}

/// Where a target of a report stands. `verifying`: an attempt is in progress, so that what verification asks for is
/// pending. A reason is an issue of every target that asks for what it is about; one that is about nothing that any target
/// asks for is an issue of verification.
#[must_use]
pub fn standing(report: &Report, findings: &Findings, verifying: bool, reasons: &[LocatedReason]) -> Standing {
    let mut standing = Standing::default();
    for located in reasons {
        let asked = requirement(findings, located);
        let is_unasked = || report.targets().all(|target| requirement(target, located).is_none());
        let is_verification = findings.target == report.verification().target;
        if asked.is_some() || is_verification && is_unasked() {
            let issue = Issue { requirement: asked.map(|token| token.name), reason: located.reason.clone() };
            standing.of(asked.and_then(|token| token.person)).issues.push(issue);
        }
    }
    for token in &findings.complete {
        let lists = standing.of(token.person);
        if lists.issues.iter().any(|issue| issue.requirement == Some(token.name)) {
            continue;
        }
        let is_pending = verifying && report.verification().complete.contains(token);
        if is_pending { &mut lists.pending } else { &mut lists.complete }.push(token.name);
    }
    for token in &findings.missing {
        standing.of(token.person).missing.push(token.name);
    }
    standing
}

/// What a reason is about, if the target asks for it and it is there.
fn requirement<'a>(findings: &'a Findings, located: &LocatedReason) -> Option<&'a Token> {
    let called =
        |name: &String| findings.complete.iter().find(|token| token.person == located.person && token.name == name);
    located.names.iter().find_map(called)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::eligibility::ProductCode;
    use crate::domain::requirements::{DocumentKind, Field, IdentificationKind, Party, Subject, UserType, report};
    use crate::domain::requirements::{Documents, Identification};

    fn located(person: Option<usize>, names: &[&str]) -> LocatedReason {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        LocatedReason { reason: Reason::new("unclear", "It is unclear"), person, names }
    }

    /// A user with a name and a proof of address.
    fn subject() -> Subject {
        let mut subject = Subject::new(UserType::Individual);
        subject.own.fields.note(Field::FirstName, true);
        subject.documents.note(DocumentKind::ProofOfAddress);
        subject
    }

    fn of(subject: &Subject, target: usize, verifying: bool, reasons: &[LocatedReason]) -> Standing {
        let report = report(subject, [ProductCode::UsaVirtualAccounts, ProductCode::UsaVirtualAccountsAct]);
        let findings = report.targets().nth(target).expect("a target");
        standing(&report, findings, verifying, reasons)
    }

    #[test]
    fn what_is_there_is_complete_and_pending_while_it_is_verified() {
        let (resting, verifying) = (of(&subject(), 0, false, &[]).own, of(&subject(), 0, true, &[]).own);
        assert_eq!(resting.complete, ["first_name", "identifying_information:file_proof_of_address"]);
        assert_eq!((&verifying.pending, verifying.complete.len()), (&resting.complete, 0));
        assert!(resting.missing.contains(&"last_name") && resting.missing == verifying.missing);
    }

    #[test]
    fn what_verification_does_not_ask_for_is_never_pending() {
        let mut subject = subject();
        subject.documents.note(DocumentKind::SourceOfWealth);
        let product = of(&subject, 1, true, &[]).own;
        // Without a front the back is not what is missing.
        assert_eq!(product.complete, ["identifying_information:file_source_of_wealth", "identifying_information:back"]);
    }

    #[test]
    fn an_issue_takes_the_place_of_what_it_is_about_wherever_that_is_asked_for() {
        let reasons = [located(None, &["identifying_information:front", "first_name"])];
        for target in [0, 1] {
            let lists = of(&subject(), target, true, &reasons).own;
            assert_eq!(lists.issues[0].requirement, Some("first_name"));
            assert!(![lists.complete, lists.pending, lists.missing].concat().contains(&"first_name"));
        }
        assert_eq!(of(&subject(), 2, true, &reasons).own.issues, []);
    }

    #[test]
    fn a_reason_about_nothing_that_is_asked_for_is_an_issue_of_verification() {
        for reason in [located(None, &[]), located(None, &["last_name"]), located(Some(3), &["first_name"])] {
            assert_eq!(of(&subject(), 0, false, std::slice::from_ref(&reason)).own.issues[0].requirement, None);
            assert_eq!(of(&subject(), 1, false, &[reason]).own.issues, []);
        }
    }

    #[test]
    fn each_associated_person_has_its_own_lists() {
        let mut subject = Subject::new(UserType::Business);
        let mut documents = Documents::default();
        documents.note(DocumentKind::Front);
        let front = Identification { kind: IdentificationKind::GovernmentId, numbered: true, documents };
        subject.persons = vec![Party::default(), Party { identifications: vec![front], ..Party::default() }];
        let reasons = [located(Some(1), &["identifying_information:front"])];
        let persons = of(&subject, 0, false, &reasons).persons;
        let [first, second] = &persons[..] else { panic!("two persons") };
        assert!(first.issues.is_empty() && first.missing.contains(&"identifying_information:front"));
        assert_eq!(second.issues[0].requirement, Some("identifying_information:front"));
        assert!(second.complete.is_empty() && second.missing.contains(&"birth_date"));
    }
}
