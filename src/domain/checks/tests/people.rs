use super::super::Severity::Soft;
use super::*;

#[test]
fn parts_add_up_to_a_hundred_at_most() {
    let findings = found(company(), |applicant| applicant.persons[0] = owner(0, 75.0));
    assert_eq!(findings, one("ownership", "over_100_percent", Soft, "associated_persons"));
    let thirds = |applicant: &mut Applicant| applicant.persons = (0..3).map(|index| owner(index, 33.34)).collect();
    assert_eq!(found(company(), thirds), [], "rounded up");
}

#[test]
fn a_percentage_agrees_with_the_answer_beside_it() {
    let findings = found(company(), |applicant| applicant.persons[1].has_ownership = Some(false));
    assert_eq!(findings, one("ownership", "answers_differ", Soft, "associated_persons.1.ownership_percentage"));
}

#[test]
fn a_business_has_a_control_person() {
    let findings =
        found(company(), |applicant| applicant.persons.iter_mut().for_each(|person| person.has_control = false));
    assert_eq!(findings, one("control_person", "no_control_person", Soft, "associated_persons"));
}

#[test]
fn a_sole_proprietor_has_one_owner() {
    let findings = found(company(), |applicant| {
        applicant.own.entity_kind = EntityKind::SoleProprietor;
        applicant.own.identifications.clear();
    });
    assert_eq!(findings, one("control_person", "several_proprietors", Soft, "associated_persons"));
}
