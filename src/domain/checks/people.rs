//! Who owns and who controls a business (FinCEN's Customer Due Diligence rule, 31 CFR 1010.230: owners of 25 percent or
//! more, and one person with control).

use super::applicant::{Applicant, EntityKind};
use super::{CheckContext, Days};

/// Percentages are typed with two decimals at most: thirds add up to 100.01 where each is rounded up.
const ROUNDING: f64 = 0.5;

/// Percentages that contradict each other or their person's own answer.
pub(super) fn ownership(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    let mut sum = 0.0;
    for person in &applicant.persons {
        let Some(percentage) = person.ownership_percentage else { continue };
        context.applies();
        sum += percentage;
        let contradicts = match person.has_ownership {
            Some(false) => percentage > 0.0,
            Some(true) => percentage <= 0.0,
            None => false,
        };
        if contradicts {
            let path = person.party.path("ownership_percentage");
            context.soft("answers_differ", path, "The percentage contradicts has_ownership: correct one of them");
        }
    }
    if sum > 100.0 + ROUNDING {
        context.soft(
            "over_100_percent",
            "associated_persons".to_owned(),
            "The parts add up to more than 100 percent: correct them",
        );
    }
}

/// A business without a control person, or a sole proprietor that is not exactly one owner.
pub(super) fn control_person(applicant: &Applicant, _: Days, context: &mut CheckContext) {
    if applicant.own.entity_kind == EntityKind::Person || applicant.persons.is_empty() {
        return;
    }
    context.applies();
    let path = || "associated_persons".to_owned();
    if !applicant.persons.iter().any(|person| person.has_control) {
        context.soft("no_control_person", path(), "No person with control is given: add one");
    }
    let owners = applicant.persons.iter().filter(|person| person.has_ownership == Some(true)).count();
    if applicant.own.entity_kind == EntityKind::SoleProprietor && owners > 1 {
        context.soft(
            "several_proprietors",
            path(),
            "A sole proprietor has one owner: correct the owners or the business type",
        );
    }
}
