//! Who owns and who controls a business (FinCEN's Customer Due Diligence rule, 31 CFR 1010.230: owners of 25 percent or
//! more, and one person with control).

use chrono::NaiveDate;

use super::Examination;
use super::dossier::{Dossier, Nature};

/// Percentages are typed with two decimals at most: thirds add up to 100.01 where each is rounded up.
const ROUNDING: f64 = 0.5;

/// Percentages that contradict each other or their person's own answer.
pub(super) fn ownership(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    let mut sum = 0.0;
    for person in &dossier.persons {
        let Some(percentage) = person.ownership_percentage else { continue };
        examination.applies();
        sum += percentage;
        let contradicts = match person.has_ownership {
            Some(false) => percentage > 0.0,
            Some(true) => percentage <= 0.0,
            None => false,
        };
        if contradicts {
            let path = person.party.path("ownership_percentage");
            examination.soft("answers_differ", path, "The percentage contradicts has_ownership");
        }
    }
    if sum > 100.0 + ROUNDING {
        examination.soft(
            "over_100_percent",
            "associated_persons".to_owned(),
            "The parts add up to more than 100 percent",
        );
    }
}

/// A business that nobody controls, or a sole proprietor that is not exactly one owner.
pub(super) fn control_person(dossier: &Dossier, _: NaiveDate, examination: &mut Examination) {
    if dossier.own.nature == Nature::Person || dossier.persons.is_empty() {
        return;
    }
    examination.applies();
    let path = || "associated_persons".to_owned();
    if !dossier.persons.iter().any(|person| person.has_control) {
        examination.soft("no_control_person", path(), "No person with control is given");
    }
    let owners = dossier.persons.iter().filter(|person| person.has_ownership == Some(true)).count();
    if dossier.own.nature == Nature::SoleProprietor && owners > 1 {
        examination.soft("several_proprietors", path(), "A sole proprietor has one owner");
    }
}
