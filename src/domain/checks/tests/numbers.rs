use super::super::Severity::{Hard, Soft};
use super::*;

#[test]
fn a_curp_with_a_wrong_check_digit_is_impossible() {
    let findings = found(individual(), |applicant| {
        applicant.own.identifications[0].number = Some("SABC560626MDFLRN02".to_owned());
    });
    assert_eq!(findings, one("curp", "check_digit", Hard, "identifying_information.0.number"));
}

#[test]
fn an_rfc_that_fails_its_check_digit_needs_a_person() {
    let findings = found(company(), |applicant| {
        applicant.own.identifications[0].number = Some("MAB9307148T5".to_owned());
    });
    assert_eq!(findings, one("rfc", "check_digit", Soft, "rfc"));
}

#[test]
fn numbers_that_are_never_issued_are_reasons_to_reject() {
    for (kind, country, number, check) in [
        (IdentificationScheme::Ssn, "USA", "987-65-4321", "ssn"),
        (IdentificationScheme::Itin, "USA", "123-45-6789", "itin"),
        (IdentificationScheme::Cpf, "BRA", "111.111.111-11", "cpf"),
        (IdentificationScheme::Cnpj, "BRA", "00000000000000", "cnpj"),
    ] {
        let findings =
            found(individual(), |applicant| applicant.own.identifications[0] = entry(0, kind, country, number));
        assert_eq!(findings, one(check, "never_issued", Hard, "identifying_information.0.number"));
    }
}

#[test]
fn an_ein_of_an_unknown_range_and_a_nit_with_a_wrong_digit_are_for_a_human() {
    let findings = found(company(), |applicant| {
        applicant.own.identifications = vec![
            entry(0, IdentificationScheme::Ein, "USA", "07-1144442"),
            entry(1, IdentificationScheme::Nit, "COL", "890.903.938-7"),
        ];
    });
    let expected = [("nit", "check_digit", Soft), ("ein", "unknown_range", Soft)];
    assert!(findings.iter().map(|(check, code, severity, _)| (*check, *code, *severity)).eq(expected));
}

#[test]
fn a_tax_id_is_judged_by_the_number_it_looks_like_but_never_rejected_for_it() {
    let path = "identifying_information.0.number";
    let findings = found(individual(), |applicant| {
        applicant.own.identifications[0] = entry(0, IdentificationScheme::TaxId, "BRA", "390.533.447-06");
    });
    assert_eq!(findings, one("cpf", "check_digit", Soft, path));
    let findings = found(individual(), |applicant| {
        applicant.own.identifications[0] = entry(0, IdentificationScheme::TaxId, "DEU", "12345");
    });
    assert_eq!(findings, [], "nothing is known about Germany's");
}

#[test]
fn a_number_that_one_country_issues_is_of_no_other() {
    let findings = found(individual(), |applicant| {
        applicant.own.identifications[0].issuing_country = Some("USA".to_owned());
    });
    assert_eq!(findings, one("issuing_country", "other_country", Soft, "identifying_information.0.issuing_country"));
}

#[test]
fn two_numbers_of_a_kind_must_be_the_same() {
    let rfc = |number| entry(0, IdentificationScheme::Rfc, "MEX", number);
    assert_eq!(found(company(), |applicant| applicant.own.identifications.push(rfc("MAB-930714-8T4"))), []);
    let findings = found(company(), |applicant| {
        applicant.own.born_or_formed = None;
        applicant.own.identifications.push(rfc("SPM1410037E8"));
    });
    assert!(
        findings.contains(&one("one_number_of_a_kind", "numbers_differ", Soft, "identifying_information.0.number")[0])
    );
}

#[test]
fn a_number_without_the_zeros_that_spreadsheets_drop_needs_a_person() {
    for (kind, country, number, check) in [
        (IdentificationScheme::Cpf, "BRA", "94427648-29", "cpf"),
        (IdentificationScheme::Cpf, "BRA", "9442764829", "cpf"),
        (IdentificationScheme::Cnpj, "BRA", "191/0001-91", "cnpj"),
        (IdentificationScheme::Ssn, "USA", "12345678", "ssn"),
        (IdentificationScheme::Ein, "USA", "1144442\u{2011}2", "ein"),
    ] {
        let findings =
            found(individual(), |applicant| applicant.own.identifications[0] = entry(0, kind, country, number));
        assert_eq!(findings, one(check, "leading_zeros", Soft, "identifying_information.0.number"), "{number}");
    }
}

#[test]
fn no_way_of_writing_a_number_is_a_finding() {
    let mut separators = vec!["", " ", "\u{A0}", "\u{2009}", "\u{202F}", "\u{3000}", "\t", ".", "/", "_"];
    separators.extend(["-", "\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2014}", "\u{2015}", "\u{2212}"]);
    separators.extend(["\u{FE58}", "\u{FE63}", "\u{FF0D}", "\u{AD}", "\u{30FC}", "\u{200B}", "\u{2060}", "\u{FEFF}"]);
    separators.extend(["\u{200E}", "\u{200F}", "\u{202A}", "\u{2066}"]);
    use IdentificationScheme as Kind;
    for separator in separators {
        for (kind, country, parts) in [
            (Kind::Ssn, "USA", vec!["518", "21", "3456"]),
            (Kind::Itin, "USA", vec!["912", "90", "3456"]),
            (Kind::Ein, "USA", vec!["91", "1144442"]),
            (Kind::Cpf, "BRA", vec!["390", "533", "447", "05"]),
            (Kind::Cnpj, "BRA", vec!["33", "000", "167", "0001", "01"]),
            (Kind::Cnpj, "BRA", vec!["12", "abc", "345", "01de", "35"]),
            (Kind::Nit, "COL", vec!["890", "903", "938", "8"]),
            (Kind::Curp, "MEX", vec!["sabc", "560626", "mdflrn", "01"]),
            (Kind::Rfc, "MEX", vec!["SABC", "560626", "9A6"]),
        ] {
            let number = parts.join(separator);
            let findings = found(individual(), |applicant| {
                applicant.own.identifications[0] = entry(0, kind, country, &number);
            });
            // The RFC's check digit is made up.
            let findings: Vec<_> = findings.into_iter().filter(|(_, code, ..)| *code != "check_digit").collect();
            assert_eq!(findings, [], "{number:?}");
        }
    }
}

#[test]
fn digits_of_other_scripts_and_the_name_of_the_kind_are_ways_of_writing() {
    use IdentificationScheme as Kind;
    for (kind, country, number) in [
        (Kind::Ssn, "USA", "５１８－２１－３４５６"),
        (Kind::Ssn, "USA", "٥١٨-٢١-٣٤٥٦"),
        (Kind::Ssn, "USA", "\u{202D}518-21-3456\u{202C}"),
        (Kind::Ssn, "USA", "SSN: 518-21-3456"),
        (Kind::Cpf, "BRA", "cpf 390.533.447\u{2011}05"),
        (Kind::Curp, "MEX", "ＳＡＢＣ560626ＭＤＦＬＲＮ01"),
    ] {
        let findings = found(individual(), |applicant| {
            applicant.own.identifications[0] = entry(0, kind, country, number);
        });
        assert_eq!(findings, [], "{number}");
    }
}
