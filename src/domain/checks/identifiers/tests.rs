use chrono::NaiveDate;
use proptest::prelude::*;

use super::curp::{Curp, Sex};
use super::rfc::Rfc;
use super::{Flaw, NameLetters, cnpj, cpf, nit, us_tax};

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

fn curp(number: &str) -> Result<Curp, Flaw> {
    Curp::parse(number)
}

#[test]
fn a_published_curp_tells_birth_date_and_sex() {
    // RENAPO's specimen, and two from encyclopaedias and validators.
    for (number, born, sex) in [
        ("SABC560626MDFLRN01", date(1956, 6, 26), Sex::Female),
        ("HEGG560427MVZRRL04", date(1956, 4, 27), Sex::Female),
        ("boxw310820-hnerxn-09", date(1931, 8, 20), Sex::Male),
    ] {
        let read = curp(number).unwrap_or_else(|flaw| panic!("{number}: {flaw:?}"));
        assert_eq!((read.birth_date, read.sex), (born, sex), "{number}");
    }
}

#[test]
fn a_letter_in_the_seventeenth_place_means_the_twenty_first_century() {
    let read = (0..10).find_map(|digit| curp(&format!("SABC060626MDFLRNA{digit}")).ok()).expect("one digit fits");
    assert_eq!(read.birth_date, date(2006, 6, 26));
}

#[test]
fn a_curp_with_a_wrong_form_date_or_check_digit_is_told_apart() {
    let flaw = |number| curp(number).err();
    assert_eq!(flaw("SABC560626MDFLRN0"), Some(Flaw::Form), "too short");
    assert_eq!(flaw("SABC560626MQQLRN01"), Some(Flaw::Form), "no such state");
    assert_eq!(flaw("SABC560626ZDFLRN01"), Some(Flaw::Form), "no such sex");
    assert_eq!(flaw("SABC5606A6MDFLRN01"), Some(Flaw::Form), "a letter in the date");
    assert_eq!(flaw("SABC561326MDFLRN01"), Some(Flaw::Date));
    assert_eq!(flaw("SABC560626MDFLRN02"), Some(Flaw::CheckDigit));
}

#[test]
fn a_curp_fits_the_name_it_was_made_of_and_no_other() {
    let letters = curp("SABC560626MDFLRN01").expect("valid").letters;
    let fits = |given, surnames| NameLetters::of(given, surnames).expect("letters").fit_curp(letters);
    assert!(fits("Concepción", "Salgado Briseño"));
    assert!(fits("María Concepción", "de la Salgado"));
    assert!(!fits("Concepción", "Briseño"));
    assert!(!fits("Gloria", "Salgado Briseño"));
}

#[test]
fn a_surname_that_begins_with_n_tilde_counts_as_x() {
    let letters = NameLetters::of("Raúl", "Ñañez").expect("letters");
    assert!(letters.fit_curp(['X', 'A', 'P', 'R']));
    assert!(letters.fit_rfc(&['Ñ', 'A', 'P', 'R']));
}

#[test]
fn a_name_without_latin_letters_says_nothing() {
    assert!(NameLetters::of("明", "王").is_none());
    assert!(NameLetters::of("", "").is_none());
}

#[test]
fn published_rfcs_of_person_and_company_are_checked() {
    let person = Rfc::parse("GODE 561231 GR8").expect("the SAT's example");
    assert!(person.checked && person.is_of_person());
    assert_eq!(person.date, (56, 12, 31));
    let company = Rfc::parse("MAB-930714-8T4").expect("a company's");
    assert!(company.checked && !company.is_of_person());
    assert!(NameLetters::of("Emma", "Gómez Díaz").expect("letters").fit_rfc(&person.letters));
}

#[test]
fn an_rfc_in_use_may_fail_its_check_digit() {
    let read = Rfc::parse("VACE460910SX6").expect("well-formed");
    assert!(!read.checked);
}

#[test]
fn an_rfc_with_a_wrong_form_or_date_or_of_no_person_is_recognised() {
    let flaw = |number| Rfc::parse(number).err();
    assert_eq!(flaw("GODE56123"), Some(Flaw::Form));
    assert_eq!(flaw("GODE561231"), Some(Flaw::Incomplete), "without homonym key");
    assert_eq!(flaw("MAB-930714"), Some(Flaw::Incomplete));
    assert_eq!(flaw("GOD1561231GR8"), Some(Flaw::Form));
    assert_eq!(flaw("GODE561331GR8"), Some(Flaw::Date));
    assert_eq!(flaw("XEXX010101000"), Some(Flaw::Generic));
    assert_eq!(flaw("GODE000229GR8"), None, "29 February 2000");
}

#[test]
fn published_cpfs_pass_and_a_changed_digit_fails() {
    assert_eq!(cpf::check("390.533.447-05"), Ok(()));
    assert_eq!(cpf::check("529.982.247-25"), Ok(()));
    assert_eq!(cpf::check("11144477735"), Ok(()));
    assert_eq!(cpf::check("390.533.447-06"), Err(Flaw::CheckDigit));
    assert_eq!(cpf::check("111.111.111-11"), Err(Flaw::NeverIssued));
    assert_eq!(cpf::check("231.002.999"), Err(Flaw::Form));
}

#[test]
fn published_cnpjs_pass_numeric_and_alphanumeric() {
    assert_eq!(cnpj::check("00.000.000/0001-91"), Ok(()), "Banco do Brasil");
    assert_eq!(cnpj::check("33.000.167/0001-01"), Ok(()), "Petrobras");
    assert_eq!(cnpj::check("12.ABC.345/01DE-35"), Ok(()), "Receita Federal's example of the new form");
    assert_eq!(cnpj::check("12abc34501de35"), Ok(()));
}

#[test]
fn a_cnpj_with_a_wrong_form_or_check_digit_is_told_apart() {
    assert_eq!(cnpj::check("12.ABC.345/01DE-36"), Err(Flaw::CheckDigit));
    assert_eq!(cnpj::check("33.000.167/0002-01"), Err(Flaw::CheckDigit));
    assert_eq!(cnpj::check("12.ABC.345/01DE-3A"), Err(Flaw::Form), "letters in the check digits");
    assert_eq!(cnpj::check("00000000000000"), Err(Flaw::NeverIssued));
}

#[test]
fn published_nits_pass_and_a_changed_digit_fails() {
    assert_eq!(nit::check("899.999.068-1"), Ok(()), "Ecopetrol");
    assert_eq!(nit::check("890.903.938-8"), Ok(()), "Bancolombia");
    assert_eq!(nit::check("8909039388"), Ok(()));
    assert_eq!(nit::check("890.903.938-7"), Err(Flaw::CheckDigit));
    assert_eq!(nit::check("8909039387"), Err(Flaw::CheckDigit));
    assert_eq!(nit::check("8909O39388"), Err(Flaw::Form));
}

#[test]
fn a_nit_without_its_check_digit_is_not_held_against_anybody() {
    assert_eq!(nit::check("890903938"), Ok(()));
    assert_eq!(nit::check("1032456789"), Ok(()), "ten digits of a person's card");
}

#[test]
fn ssns_that_were_never_issued_or_printed_in_public_are_refused() {
    assert_eq!(us_tax::check_ssn("536-90-4399"), Ok(()));
    for impossible in ["000-12-3456", "666-12-3456", "987-65-4321", "123-00-4567", "123-45-0000"] {
        assert_eq!(us_tax::check_ssn(impossible), Err(Flaw::NeverIssued), "{impossible}");
    }
    for printed in ["078-05-1120", "219-09-9999", "457-55-5462"] {
        assert_eq!(us_tax::check_ssn(printed), Err(Flaw::NeverIssued), "{printed}");
    }
    assert_eq!(us_tax::check_ssn("123-45-678"), Err(Flaw::LeadingZeros));
    assert_eq!(us_tax::check_ssn("123-45-67891"), Err(Flaw::Form));
    assert_eq!(us_tax::check_ssn("123456"), Err(Flaw::Form));
}

#[test]
fn an_itin_begins_with_nine_and_has_an_issued_group() {
    assert_eq!(us_tax::check_itin("912-90-3456"), Ok(()));
    assert_eq!(us_tax::check_itin("900-70-0000"), Ok(()));
    for impossible in ["123-45-6789", "912-66-3456", "912-89-3456", "912-93-3456", "912-10-3456"] {
        assert_eq!(us_tax::check_itin(impossible), Err(Flaw::NeverIssued), "{impossible}");
    }
}

#[test]
fn an_ein_has_an_announced_prefix() {
    assert_eq!(us_tax::check_ein("91-1144442"), Ok(()), "Microsoft");
    assert_eq!(us_tax::check_ein("94-2404110"), Ok(()), "Apple");
    assert_eq!(us_tax::check_ein("07-1144442"), Err(Flaw::UnknownRange));
    assert_eq!(us_tax::check_ein("91-11444"), Err(Flaw::Form));
}

proptest! {
    #[test]
    fn no_text_makes_a_number_or_name_rule_panic(text in any::<String>(), other in any::<String>()) {
        let _ = curp(&text);
        let _ = Rfc::parse(&text);
        let _ = NameLetters::of(&text, &other).map(|letters| (letters.fit_curp(['A'; 4]), letters.fit_rfc(&[])));
        for check in [cpf::check, cnpj::check, nit::check, us_tax::check_ssn, us_tax::check_itin, us_tax::check_ein] {
            let _ = check(&text);
        }
    }

    #[test]
    fn no_text_close_to_a_number_makes_a_rule_panic(text in "[0-9A-ZÑñß&. -]{0,20}") {
        let _ = curp(&text);
        let _ = Rfc::parse(&text);
        for check in [cpf::check, cnpj::check, nit::check, us_tax::check_ssn, us_tax::check_itin, us_tax::check_ein] {
            let _ = check(&text);
        }
    }

    #[test]
    fn one_pair_of_check_digits_fits_a_cpf(body in 1_u32..999_999_999) {
        let fitting = (0..100).filter(|check| cpf::check(&format!("{body:09}{check:02}")).is_ok()).count();
        let repeated = body % 111_111_111 == 0;
        prop_assert_eq!(fitting, usize::from(!repeated));
    }
}
