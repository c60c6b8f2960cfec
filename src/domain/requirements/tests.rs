use strum::VariantArray as _;

use super::*;

/// Everything that is asked of anybody: every field, and entries with all documents.
fn complete(kind: UserType, residence: Residence) -> Subject {
    let mut subject = Subject { residence, ..Subject::new(kind) };
    subject.own = Party {
        fields: all_fields(),
        identifications: vec![
            number(IdentificationKind::Ssn),
            number(IdentificationKind::TaxId),
            number(IdentificationKind::Ein),
            licence(&[DocumentKind::Front, DocumentKind::Back, DocumentKind::ProofOfAddress]),
            entry(IdentificationKind::Other, false, &[DocumentKind::BusinessFormation, DocumentKind::SourceOfWealth]),
        ],
    };
    if kind == UserType::Business {
        subject.persons = vec![person(), person()];
    }
    subject
}

/// An associated person of whom nothing is missing.
fn person() -> Party {
    Party { fields: all_fields(), identifications: vec![licence(&[DocumentKind::Front, DocumentKind::Back])] }
}

fn all_fields() -> Fields {
    let mut fields = Fields::default();
    for row in [UserType::Individual, UserType::Business].iter().flat_map(|kind| rows(*kind)) {
        for fact in row.any_of {
            if let Fact::Has(field) | Fact::HasIn(field, _) = fact {
                fields.note(*field, true);
            }
        }
    }
    fields
}

fn rows(kind: UserType) -> Vec<Requirement> {
    let mut rows = tables::verification(kind).own.to_vec();
    for &code in ProductCode::VARIANTS {
        rows.extend(tables::product(code, kind).further.own);
    }
    rows
}

fn without(mut subject: Subject, field: Field) -> Subject {
    let mut rest = Fields::default();
    for row in rows(subject.kind) {
        for fact in row.any_of {
            if let Fact::Has(other) | Fact::HasIn(other, _) = fact {
                rest.note(*other, *other != field && subject.own.fields.has(*other));
            }
        }
    }
    subject.own.fields = rest;
    subject
}

fn entry(kind: IdentificationKind, numbered: bool, kinds: &[DocumentKind]) -> Identification {
    let mut documents = Documents::default();
    kinds.iter().for_each(|kind| documents.note(*kind));
    Identification { kind, numbered, documents }
}

fn number(kind: IdentificationKind) -> Identification {
    entry(kind, true, &[])
}

fn licence(kinds: &[DocumentKind]) -> Identification {
    entry(IdentificationKind::TwoSidedGovernmentId, true, kinds)
}

fn missing(subject: &Subject, target: Target) -> Vec<String> {
    let report = report(subject, ProductCode::VARIANTS.iter().copied());
    report.target(target).expect("asked for").missing.iter().map(Token::to_string).collect()
}

fn missing_for_verification(subject: &Subject) -> Vec<String> {
    missing(subject, Target::Verification)
}

const USA_ACCOUNTS: Target = Target::Product(ProductCode::UsaVirtualAccounts);
const ACT: Target = Target::Product(ProductCode::UsaVirtualAccountsAct);
const RESIDENCES: [Residence; 4] = [Residence::Usa, Residence::Mexico, Residence::Brazil, Residence::Elsewhere];

#[test]
fn nothing_is_missing_for_any_target_where_everything_is_there() {
    for kind in [UserType::Individual, UserType::Business] {
        for residence in RESIDENCES {
            let mut subject = complete(kind, residence);
            subject.employed = true;
            subject.denied_bank_account = true;
            let report = report(&subject, ProductCode::VARIANTS.iter().copied());
            assert_eq!(report.missing().collect::<Vec<_>>(), [], "{kind:?} {residence:?}");
            assert!(report.triggers_verification());
        }
    }
}

#[test]
fn an_empty_usa_individual_misses_the_table_in_its_order() {
    let subject = Subject { residence: Residence::Usa, ..Subject::new(UserType::Individual) };
    let expected = "first_name last_name birth_date email phone address_street address_city address_state \
        address_zip_code address_country document_type document_number document_country nationality gender \
        identifying_information:ssn source_of_funds account_purpose employment_status occupation pep_status \
        identifying_information:file_proof_of_address identifying_information:front";
    assert_eq!(missing_for_verification(&subject).join(" "), expected);
}

#[test]
fn an_empty_individual_of_no_country_misses_the_international_table_in_its_order() {
    let expected = "first_name last_name birth_date email phone address_street address_city address_state \
        address_zip_code address_country document_type document_number document_country nationality gender \
        identifying_information:tax_id source_of_funds account_purpose employment_status occupation pep_status \
        expected_monthly_payments identifying_information:file_proof_of_address identifying_information:front";
    assert_eq!(missing_for_verification(&Subject::new(UserType::Individual)).join(" "), expected);
}

#[test]
fn an_empty_usa_business_misses_the_table_in_its_order() {
    let subject = Subject { residence: Residence::Usa, ..Subject::new(UserType::Business) };
    let expected = "business_legal_name doing_business_as business_type business_industry formation_date \
        formation_state email phone address_street address_city address_state address_zip_code address_country \
        document_type document_number document_country ein representative_first_name representative_last_name \
        representative_title representative_birth_date representative_ssn business_description business_website \
        source_of_funds account_purpose pep_status identifying_information:file_proof_of_address \
        identifying_information:file_business_formation associated_persons";
    assert_eq!(missing_for_verification(&subject).join(" "), expected);
}

#[test]
fn an_empty_international_business_is_asked_for_a_tax_id_and_payments_but_no_ein_or_ssn() {
    let missing = missing_for_verification(&Subject::new(UserType::Business));
    for name in ["identifying_information:tax_id", "expected_monthly_payments"] {
        assert!(missing.iter().any(|token| token == name), "{name}");
    }
    for name in ["ein", "representative_ssn"] {
        assert!(!missing.iter().any(|token| token == name), "{name}");
    }
}

#[test]
fn each_field_of_the_tables_is_missed_alone() {
    for kind in [UserType::Individual, UserType::Business] {
        for residence in [Residence::Usa, Residence::Elsewhere] {
            let subject = complete(kind, residence);
            for row in tables::verification(kind).own.iter().filter(|row| concerns(row.of, &subject)) {
                if let [Fact::Has(field)] = row.any_of {
                    let missing = missing_for_verification(&without(subject.clone(), *field));
                    assert_eq!(missing, [field.into_str()], "{kind:?} {residence:?}");
                }
            }
        }
    }
}

#[test]
fn the_top_level_document_fields_stand_in_for_a_government_id_with_number() {
    let mut subject = complete(UserType::Individual, Residence::Usa);
    subject.own.identifications[3].numbered = false;
    assert_eq!(missing_for_verification(&subject), Vec::<String>::new());
    let subject = without(subject, Field::DocumentNumber);
    assert_eq!(missing_for_verification(&subject), ["document_number"]);
}

#[test]
fn a_government_id_with_number_stands_in_for_the_top_level_document_fields() {
    let mut subject = complete(UserType::Individual, Residence::Usa);
    for field in [Field::DocumentType, Field::DocumentNumber, Field::DocumentCountry] {
        subject = without(subject, field);
    }
    assert_eq!(missing_for_verification(&subject), Vec::<String>::new());
}

#[test]
fn a_business_shows_its_document_through_an_associated_person_and_not_through_its_own_entry() {
    let mut subject = complete(UserType::Business, Residence::Usa);
    for field in [Field::DocumentType, Field::DocumentNumber, Field::DocumentCountry] {
        subject = without(subject, field);
    }
    assert_eq!(missing_for_verification(&subject), Vec::<String>::new());
    subject.persons.iter_mut().for_each(|person| person.identifications[0].numbered = false);
    assert_eq!(missing_for_verification(&subject), ["document_type", "document_number", "document_country"]);
}

#[test]
fn other_tax_ids_do_not_count_as_the_international_tax_id() {
    let mut subject = complete(UserType::Individual, Residence::Mexico);
    subject.own.identifications[1].kind = IdentificationKind::Other;
    assert_eq!(missing_for_verification(&subject), ["identifying_information:tax_id"]);
}

#[test]
fn a_tax_id_without_its_number_does_not_count() {
    let mut subject = complete(UserType::Individual, Residence::Usa);
    subject.own.identifications[0].numbered = false;
    assert_eq!(missing_for_verification(&subject), ["identifying_information:ssn"]);
}

#[test]
fn a_business_identifier_counts_as_tax_id_in_its_own_country_only() {
    let cases = [
        (Field::Rfc, Residence::Mexico, true),
        (Field::Rfc, Residence::Elsewhere, false),
        (Field::Rfc, Residence::Brazil, false),
        (Field::Cnpj, Residence::Brazil, true),
        (Field::Cnpj, Residence::Mexico, false),
    ];
    for (field, residence, enough) in cases {
        let other = if field == Field::Rfc { Field::Cnpj } else { Field::Rfc };
        let mut subject = without(complete(UserType::Business, residence), other);
        subject.own.identifications.retain(|entry| entry.kind != IdentificationKind::TaxId);
        assert_eq!(missing_for_verification(&subject).is_empty(), enough, "{field:?} {residence:?}");
    }
}

#[test]
fn a_nit_counts_as_the_tax_id_of_a_business() {
    let mut subject = complete(UserType::Business, Residence::Elsewhere);
    subject.own.identifications[1].kind = IdentificationKind::Nit;
    assert_eq!(missing_for_verification(&subject), Vec::<String>::new());
}

#[test]
fn an_ein_counts_at_the_top_and_as_an_entry() {
    let top = {
        let mut subject = complete(UserType::Business, Residence::Usa);
        subject.own.identifications.retain(|entry| entry.kind != IdentificationKind::Ein);
        subject
    };
    let entry = without(complete(UserType::Business, Residence::Usa), Field::Ein);
    let neither = without(top.clone(), Field::Ein);
    assert_eq!(missing_for_verification(&top), Vec::<String>::new());
    assert_eq!(missing_for_verification(&entry), Vec::<String>::new());
    assert_eq!(missing_for_verification(&neither), ["ein"]);
}

#[test]
fn a_legacy_top_level_document_counts() {
    let mut subject = complete(UserType::Business, Residence::Usa);
    subject.own.identifications.retain(|entry| entry.kind == IdentificationKind::Ein);
    let expected = ["identifying_information:file_proof_of_address", "identifying_information:file_business_formation"];
    assert_eq!(missing_for_verification(&subject), expected);
    subject.documents.note(DocumentKind::ProofOfAddress);
    subject.documents.note(DocumentKind::BusinessFormation);
    assert_eq!(missing_for_verification(&subject), Vec::<String>::new());
}

#[test]
fn a_front_in_an_entry_that_is_no_government_id_does_not_count() {
    let mut subject = complete(UserType::Individual, Residence::Usa);
    subject.own.identifications[3].documents = entry(IdentificationKind::Other, false, &[DocumentKind::Back]).documents;
    subject.own.identifications.push(entry(
        IdentificationKind::Other,
        true,
        &[DocumentKind::Front, DocumentKind::ProofOfAddress],
    ));
    subject.documents.note(DocumentKind::Front);
    assert_eq!(missing_for_verification(&subject), ["identifying_information:front"]);
}

#[test]
fn each_associated_person_is_judged_by_itself() {
    let mut subject = complete(UserType::Business, Residence::Usa);
    subject.persons.push(Party::default());
    let expected = [
        "associated_persons.2:first_name",
        "associated_persons.2:last_name",
        "associated_persons.2:birth_date",
        "associated_persons.2:identifying_information:front",
    ];
    assert_eq!(missing_for_verification(&subject), expected);
}

#[test]
fn a_business_needs_an_associated_person() {
    let mut subject = complete(UserType::Business, Residence::Usa);
    subject.persons.clear();
    assert_eq!(missing_for_verification(&subject), ["associated_persons"]);
}

#[test]
fn usa_virtual_accounts_asks_for_what_verification_misses_and_then_for_its_own() {
    let mut subject = without(complete(UserType::Individual, Residence::Usa), Field::Occupation);
    subject.own.identifications.truncate(3);
    subject.own.identifications.push(licence(&[DocumentKind::Front, DocumentKind::ProofOfAddress]));
    let expected = ["occupation", "identifying_information:file_source_of_wealth", "identifying_information:back"];
    assert_eq!(missing(&subject, USA_ACCOUNTS), expected);
}

#[test]
fn one_government_id_with_all_its_sides_is_enough_for_usa_virtual_accounts() {
    let mut subject = complete(UserType::Individual, Residence::Usa);
    subject.own.identifications[3] = licence(&[DocumentKind::Front, DocumentKind::ProofOfAddress]);
    subject.own.identifications.push(entry(IdentificationKind::GovernmentId, true, &[DocumentKind::Front]));
    assert_eq!(missing(&subject, USA_ACCOUNTS), Vec::<String>::new());
}

#[test]
fn usa_virtual_accounts_asks_for_the_back_of_each_associated_persons_identification() {
    let mut subject = complete(UserType::Business, Residence::Usa);
    subject.persons[1].identifications = vec![licence(&[DocumentKind::Front])];
    assert_eq!(missing(&subject, USA_ACCOUNTS), ["associated_persons.1:identifying_information:back"]);
}

#[test]
fn virtual_account_and_payout_ask_for_nothing_beyond_verified() {
    for kind in [UserType::Individual, UserType::Business] {
        let subject = Subject::new(kind);
        for code in [ProductCode::VirtualAccount, ProductCode::Payout] {
            assert_eq!(missing(&subject, Target::Product(code)), Vec::<String>::new());
        }
    }
}

#[test]
fn act_asks_a_usa_individual_for_its_work_alone() {
    let mut subject = Subject { residence: Residence::Usa, ..Subject::new(UserType::Individual) };
    assert_eq!(missing(&subject, ACT), ["employment_status", "occupation"]);
    subject.employed = true;
    assert_eq!(missing(&subject, ACT), ["employment_status", "occupation", "current_employer"]);
}

#[test]
fn act_asks_an_international_individual_for_immigration_and_bank_accounts() {
    let mut subject = Subject::new(UserType::Individual);
    subject.denied_bank_account = true;
    let expected = [
        "employment_status",
        "occupation",
        "immigration_status",
        "additional_info:has_us_bank_account",
        "additional_info:has_denied_bank_account",
        "additional_info:denied_bank_account_explain",
    ];
    assert_eq!(missing(&subject, ACT), expected);
}

#[test]
fn act_asks_businesses_for_bank_accounts_and_only_abroad() {
    let usa = Subject { residence: Residence::Usa, ..Subject::new(UserType::Business) };
    assert_eq!(missing(&usa, ACT), Vec::<String>::new());
    let expected = ["additional_info:has_us_bank_account", "additional_info:has_denied_bank_account"];
    assert_eq!(missing(&Subject::new(UserType::Business), ACT), expected);
}

#[test]
fn complete_and_missing_together_are_the_whole_table() {
    let subject = Subject { residence: Residence::Usa, ..Subject::new(UserType::Individual) };
    let empty = report(&subject, []);
    let full = report(&complete(UserType::Individual, Residence::Usa), []);
    assert_eq!(empty.verification().missing, full.verification().complete);
    assert!(empty.verification().complete.is_empty() && full.verification().missing.is_empty());
}
