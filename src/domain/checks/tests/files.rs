use super::super::Severity::{Hard, Soft};
use super::*;

#[test]
fn a_back_is_another_file_than_the_front() {
    let findings = found(individual(), |applicant| applicant.own.identifications[1].files[1].sha256 = "aa".to_owned());
    let path = "identifying_information.1.documents.1.file";
    assert_eq!(findings, one("front_and_back", "front_equals_back", Soft, path));
}

#[test]
fn a_defect_of_a_file_is_found_at_the_file() {
    let path = "identifying_information.1.documents.0.file";
    let with = |inspection| {
        found(individual(), |applicant: &mut Applicant| {
            applicant.own.identifications[1].files[0].inspection = inspection
        })
    };
    let mut broken = Inspection::default();
    broken.add(Defect::Undecodable);
    broken.add(Defect::Undecodable);
    assert_eq!(with(Some(broken)), one("files", "undecodable", Hard, path), "once");
    assert_eq!(with(None), one("files", "not_inspected", Soft, path));
}
