//! Documents of many programs, whole and damaged, against what independent readers say of them: see
//! `tests/fixtures/corpus/make.py`; and numbers against what another validator says of them: see `tests/fixtures/corpus/national_numbers.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kira_users::contract::v1::MediaType;
use kira_users::domain::checks::Severity;
use kira_users::domain::checks::identifiers::{Flaw, cnpj, cpf, curp::Curp, nit, rfc::Rfc, us_tax};
use kira_users::verification::rules::{Defect, inspect};
use serde::Deserialize;

/// What the inspection may find in a file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Expected {
    /// Nothing: the file is as it should be, or every reader shows it whole.
    Nothing,
    /// Nothing, or something for a person.
    AtMostReview,
    /// Something for a person.
    Review,
    /// Something, hard or not.
    Finding,
}

#[derive(Deserialize)]
struct Entry {
    file: String,
    expected: Expected,
    /// Each reader with whether it shows something of the file.
    readers: BTreeMap<String, bool>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus")
}

/// Every file with what is found in it.
fn inspected() -> Vec<(Entry, Vec<Defect>)> {
    let manifest = std::fs::read(folder().join("manifest.json")).expect("the manifest");
    let entries: Vec<Entry> = serde_json::from_slice(&manifest).expect("entries");
    assert!(entries.len() > 200, "the corpus is there");
    let inspected = entries.into_iter().map(|entry| {
        let bytes = std::fs::read(folder().join("files").join(&entry.file)).expect("a file of the corpus");
        let media_type = match Path::new(&entry.file).extension().and_then(|extension| extension.to_str()) {
            Some("jpg") => MediaType::Jpeg,
            Some("png") => MediaType::Png,
            _ => MediaType::Pdf,
        };
        let defects = inspect(media_type, &bytes).defects;
        (entry, defects)
    });
    inspected.collect()
}

fn is_hard(defects: &[Defect]) -> bool {
    defects.iter().any(|defect| defect.severity() == Severity::Hard)
}

/// The files of which a statement does not hold, with what is found in them.
fn failing(holds: impl Fn(&Entry, &[Defect]) -> bool) -> Vec<String> {
    let failing = inspected().into_iter().filter(|(entry, defects)| !holds(entry, defects));
    failing.map(|(entry, defects)| format!("{}: {defects:?}", entry.file)).collect()
}

#[test]
fn no_file_that_two_readers_open_is_a_reason_to_reject() {
    let opened = |entry: &Entry| entry.readers.values().filter(|opens| **opens).count() >= 2;
    assert_eq!(failing(|entry, defects| !opened(entry) || !is_hard(defects)), [""; 0]);
}

#[test]
fn nothing_is_found_in_files_as_programs_and_telephones_write_them() {
    assert_eq!(failing(|entry, defects| entry.expected != Expected::Nothing || defects.is_empty()), [""; 0]);
}

#[test]
fn what_a_person_can_open_is_left_to_a_person() {
    let for_a_person = |entry: &Entry| matches!(entry.expected, Expected::AtMostReview | Expected::Review);
    assert_eq!(failing(|entry, defects| !for_a_person(entry) || !is_hard(defects)), [""; 0]);
}

#[test]
fn files_that_act_hide_others_or_show_nothing_do_not_pass() {
    let must_be_found = |entry: &Entry| matches!(entry.expected, Expected::Review | Expected::Finding);
    assert_eq!(failing(|entry, defects| !must_be_found(entry) || !defects.is_empty()), [""; 0]);
}

#[test]
fn no_number_that_another_validator_takes_is_a_reason_to_reject() {
    let numbers = std::fs::read_to_string(folder().join("numbers.csv")).expect("the numbers");
    let mut taken = 0;
    for line in numbers.lines().skip(1) {
        let (kind, rest) = line.split_once(',').expect("a kind");
        let (number, valid) = rest.rsplit_once(',').expect("a number");
        if valid != "true" {
            continue;
        }
        taken += 1;
        let result = match kind {
            "ssn" => us_tax::check_ssn(number),
            "itin" => us_tax::check_itin(number),
            "ein" => us_tax::check_ein(number),
            "cpf" => cpf::check(number),
            "cnpj" => cnpj::check(number),
            "nit" => nit::check(number),
            "curp" => Curp::parse(number).map(|_| ()),
            _ => Rfc::parse(number).map(|_| ()),
        };
        // Short forms of the RFC are ambiguous: they need a review.
        assert!(matches!(result, Ok(()) | Err(Flaw::Incomplete)), "{kind} {number}: {result:?}");
    }
    assert!(taken > 200, "the list is there");
}
