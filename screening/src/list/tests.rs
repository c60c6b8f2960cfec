use proptest::prelude::*;

use super::*;
use crate::name::Kind;

fn list(format: Format, text: &str) -> List {
    read_all(format, "test", Files::one(text.as_bytes())).expect("a list")
}

fn refused(format: Format, text: &str) -> ReadError {
    read_all(format, "test", Files::one(text.as_bytes())).expect_err("no list")
}

fn names(entry: &Entry) -> Vec<(&str, NameKind)> {
    entry.names.iter().map(|name| (name.text.as_str(), name.kind)).collect()
}

const OFAC: &str = "1,\"FICTION, Otto\",\"individual\",\"SDGT] [IRAN\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"DOB 12 Mar 1960; alt. DOB 1961; nationality Iran; Passport A123456 (Iran) expires 01 Jan 2010; a.k.a. 'THE FOX'.\"\r\n\
2,\"FICTION SHIPPING\",-0- ,\"CUBA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n\u{1a}";

#[test]
fn the_csv_of_ofac_is_read_with_its_remarks_aliases_and_addresses() {
    let files = Files {
        main: Box::new(OFAC.as_bytes()),
        aliases: Some(Box::new(&b"1,9,\"fka\",\"FIKTION, Otto\",-0- \n"[..])),
        addresses: Some(Box::new(&b"2,9,-0- ,\"Havana\",\"Cuba\",-0- \n"[..])),
    };
    let list = read_all(Format::OfacCsv, "sdn", files).expect("a list");
    let otto = &list.entries[0];
    assert_eq!(
        names(otto),
        [("FICTION, Otto", NameKind::Primary), ("THE FOX", NameKind::WeakAlias), ("FIKTION, Otto", NameKind::Former)]
    );
    assert_eq!(otto.programmes, ["SDGT", "IRAN"]);
    assert_eq!(otto.births.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1960-03-12", "1961"]);
    assert_eq!(otto.countries, ["IR"]);
    assert_eq!(
        otto.documents,
        [Document { kind: "Passport".into(), number: "A123456".into(), country: Some("IR".into()) }]
    );
    assert_eq!((list.entries[1].kind, &list.entries[1].countries[..]), (Kind::Organisation, &["CU".to_owned()][..]));
    assert_eq!(list.entries[1].place, Place { line: 2, byte: OFAC.find("\r\n2,").expect("a line") as u64 + 2 });
}

const OFAC_XML: &str = r#"<?xml version="1.0"?><Sanctions xmlns="x"><ReferenceValueSets>
<AliasTypeValues><AliasType ID="1400">A.K.A.</AliasType><AliasType ID="1401">F.K.A.</AliasType></AliasTypeValues>
<FeatureTypeValues><FeatureType ID="8">Birthdate</FeatureType><FeatureType ID="10">Nationality Country</FeatureType></FeatureTypeValues>
<ScriptValues><Script ID="215">Latin</Script><Script ID="220">Cyrillic</Script></ScriptValues>
<IDRegDocTypeValues><IDRegDocType ID="1571">Passport</IDRegDocType></IDRegDocTypeValues>
<CountryValues><Country ID="11">France</Country></CountryValues>
<DetailReferenceValues><DetailReference ID="77">Iran</DetailReference></DetailReferenceValues></ReferenceValueSets>
<IDRegDocuments><IDRegDocument ID="1" IDRegDocTypeID="1571" IdentityID="5" IssuedBy-CountryID="11"><IDRegistrationNo>P999</IDRegistrationNo></IDRegDocument></IDRegDocuments>
<DistinctParties><DistinctParty FixedRef="42"><Profile ID="42" PartySubTypeID="4"><Identity ID="5">
<Alias AliasTypeID="1401" Primary="false" LowQuality="true"><DocumentedName><DocumentedNamePart><NamePartValue ScriptID="215">Fox</NamePartValue></DocumentedNamePart></DocumentedName></Alias>
<Alias AliasTypeID="1403" Primary="true" LowQuality="false"><DocumentedName><DocumentedNamePart><NamePartValue ScriptID="215">FICTION</NamePartValue></DocumentedNamePart><DocumentedNamePart><NamePartValue ScriptID="215">Otto</NamePartValue></DocumentedNamePart></DocumentedName>
<DocumentedName><DocumentedNamePart><NamePartValue ScriptID="220">Отто</NamePartValue></DocumentedNamePart></DocumentedName></Alias></Identity>
<Feature FeatureTypeID="8"><FeatureVersion><DatePeriod><Start><From><Year>1960</Year><Month>1</Month><Day>1</Day></From><To><Year>1960</Year><Month>1</Month><Day>1</Day></To></Start><End><From><Year>1960</Year><Month>12</Month><Day>31</Day></From><To><Year>1960</Year><Month>12</Month><Day>31</Day></To></End></DatePeriod></FeatureVersion></Feature>
<Feature FeatureTypeID="10"><FeatureVersion><VersionDetail DetailReferenceID="77"/></FeatureVersion></Feature></Profile></DistinctParty></DistinctParties>
<SanctionsEntries><SanctionsEntry ProfileID="42"><SanctionsMeasure><Comment>SDGT</Comment></SanctionsMeasure></SanctionsEntry></SanctionsEntries></Sanctions>"#;

#[test]
fn the_advanced_xml_of_ofac_is_read_through_its_references() {
    let list = list(Format::OfacXml, OFAC_XML);
    let otto = &list.entries[0];
    assert_eq!(
        names(otto),
        [("FICTION Otto", NameKind::Primary), ("Fox", NameKind::WeakAlias), ("Отто", NameKind::Original)]
    );
    assert_eq!((otto.id.as_str(), otto.kind, otto.births[0].to_string()), ("42", Kind::Person, "1960".to_owned()));
    assert_eq!(
        (&otto.programmes[0][..], &otto.countries[0][..], &otto.documents[0].number[..]),
        ("SDGT", "IR", "P999")
    );
}

const UN: &str = r"<CONSOLIDATED_LIST><INDIVIDUALS><INDIVIDUAL><DATAID>7</DATAID><FIRST_NAME>OTTO</FIRST_NAME><SECOND_NAME>FICTION</SECOND_NAME>
<UN_LIST_TYPE>DRC</UN_LIST_TYPE><NATIONALITY><VALUE>Iran</VALUE></NATIONALITY><NAME_ORIGINAL_SCRIPT>Отто</NAME_ORIGINAL_SCRIPT>
<INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>Fox &amp; Son</ALIAS_NAME></INDIVIDUAL_ALIAS><INDIVIDUAL_ALIAS><QUALITY/><ALIAS_NAME/></INDIVIDUAL_ALIAS>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>BETWEEN</TYPE_OF_DATE><FROM_YEAR>1960</FROM_YEAR><TO_YEAR>1962</TO_YEAR></INDIVIDUAL_DATE_OF_BIRTH>
<INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>P1</NUMBER></INDIVIDUAL_DOCUMENT></INDIVIDUAL></INDIVIDUALS>
<ENTITIES><ENTITY><DATAID>8</DATAID><FIRST_NAME>FICTION GROUP</FIRST_NAME></ENTITY></ENTITIES></CONSOLIDATED_LIST>";

#[test]
fn the_list_of_the_united_nations_is_read() {
    let list = list(Format::UnXml, UN);
    assert_eq!(
        names(&list.entries[0]),
        [("OTTO FICTION", NameKind::Primary), ("Отто", NameKind::Original), ("Fox & Son", NameKind::WeakAlias)]
    );
    assert_eq!(list.entries[0].births[0].to_string(), "1960 to 1962");
    assert_eq!((list.entries[1].id.as_str(), list.entries[1].kind), ("8", Kind::Organisation));
}

const EU: &str = r#"<export xmlns="http://eu.europa.ec/fpi/fsd/export"><sanctionEntity euReferenceNumber="EU.1.2" logicalId="1">
<subjectType code="person" classificationCode="P"/><regulation programme="AFG"/><nameAlias wholeName="Weak One" strong="false"/>
<nameAlias wholeName="Otto Fiction" strong="true"/><citizenship countryIso2Code="00"/><birthdate birthdate="1960-03-12" year="1960" circa="false"/>
<identification number="D1" identificationTypeCode="passport" countryIso2Code="AF"/></sanctionEntity></export>"#;

#[test]
fn both_formats_of_the_european_union_are_read() {
    let xml = list(Format::EuXml, EU);
    assert_eq!(names(&xml.entries[0]), [("Otto Fiction", NameKind::Primary), ("Weak One", NameKind::WeakAlias)]);
    assert_eq!((xml.entries[0].countries.len(), xml.entries[0].births[0].to_string()), (0, "1960-03-12".to_owned()));
    let csv = "\u{feff}Entity_LogicalId;Entity_EU_ReferenceNumber;Entity_SubjectType_ClassificationCode;Entity_Regulation_Programme;NameAlias_WholeName;BirthDate_BirthDate\n\
               1;EU.1.2;P;AFG;Otto Fiction;\n2;EU.3;E;IRN;Fiction GmbH;\n1;EU.1.2;P;AFG;;1960-03-12\n";
    let csv = list(Format::EuCsv, csv);
    assert_eq!((csv.entries.len(), csv.entries[0].births[0].to_string()), (2, "1960-03-12".to_owned()));
}

#[test]
fn the_lists_of_the_united_kingdom_and_of_the_united_states_are_read() {
    let uk = "Report Date: 01-Jan-2026\nUnique ID,OFSI Group ID,Name 6,Name 1,Name type,Alias strength,Regime Name,Designation Type,D.O.B,Nationality(/ies)\n\
              X1,1,FOX,,Alias,Low quality,Fiction,Individual,,\nX1,1,FICTION,Otto,Primary name,,Fiction,Individual,00/00/1960,Iran\n";
    let uk = list(Format::UkCsv, uk);
    assert_eq!(names(&uk.entries[0]), [("Otto FICTION", NameKind::Primary), ("FOX", NameKind::WeakAlias)]);
    assert_eq!((uk.entries[0].births[0].to_string(), &uk.entries[0].countries[0][..]), ("1960".to_owned(), "IR"));
    let us = "source,entity_number,type,programs,name,alt_names,citizenships,dates_of_birth,nationalities,ids,source_list_url\n\
              Fiction List (FL) - Nobody,,,,Fiction Ltd,,,,,,\nSDN (SDN) - Treasury,5,Individual,SDGT,\"FICTION, Otto\",Fox; Foxy,,1960-03-12,IR,\"Passport, P12, IR\",\n";
    let us = list(Format::CslCsv, us);
    assert_eq!(
        (us.entries[0].id.len(), us.entries[1].names.len(), &us.entries[1].documents[0].number[..]),
        (16, 3, "P12")
    );
}

#[test]
fn both_formats_of_open_sanctions_are_read() {
    let csv = "id,schema,name,aliases,birth_date,countries,identifiers,sanctions,dataset\nQ1,Person,Otto Fiction,Fox;Foxy,1960,ir,P1,x,Fiction\n";
    assert_eq!(list(Format::OpenSanctionsCsv, csv).entries[0].names.len(), 3);
    let json = "{\"id\":\"Q1\",\"caption\":\"Otto\",\"schema\":\"Person\",\"properties\":{\"name\":[\"Fiction\",\"Otto\"],\"weakAlias\":[\"Fox\"],\"birthDate\":[\"1960\"]}}\n\
                {\"id\":\"Q2\",\"schema\":\"Sanction\",\"properties\":{}}\n";
    let json = list(Format::OpenSanctionsJson, json);
    assert_eq!(json.entries.len(), 1);
    assert_eq!(
        names(&json.entries[0]),
        [("Otto", NameKind::Primary), ("Fiction", NameKind::Alias), ("Fox", NameKind::WeakAlias)]
    );
}

#[test]
fn lists_of_ones_own_are_read_and_the_example_is_one() {
    let example = List::example();
    assert_eq!((example.entries.len(), example.report.damaged), (7, 0));
    assert_eq!(example.entries[6].reason.as_deref(), Some("Chargebacks; see case 42"));
    let json = "{\"id\":1,\"name\":\"Otto Fiction\",\"type\":\"person\",\"birth_dates\":[\"1960\"],\"expires\":\"2030-01-01\"}\n\
                {\"id\":2,\"name\":\"B\",\"birth_dates\":\"soon\"}\nnot json\n";
    let json = list(Format::OwnJson, json);
    assert_eq!((json.entries.len(), json.report.damaged), (1, 2));
    assert_eq!(json.report.problems[0].place.line, 2);
}

#[test]
fn a_list_that_is_cut_short_is_refused_with_the_place() {
    let cut = &OFAC[..OFAC.find("CUBA").expect("a programme")];
    assert!(matches!(refused(Format::OfacCsv, cut), ReadError::CutShort { place: Place { line: 2, .. }, .. }));
    for (format, text) in [(Format::OfacXml, OFAC_XML), (Format::UnXml, UN), (Format::EuXml, EU)] {
        let half = (text.len() / 2..).find(|at| text.is_char_boundary(*at)).expect("a boundary");
        let error = refused(format, &text[..half]);
        assert!(matches!(error, ReadError::CutShort { .. }), "{format}: {error}");
    }
    assert!(matches!(refused(Format::OwnJson, "{\"id\":1,\"name\":\"A\"}\n{\"id\":2,"), ReadError::CutShort { .. }));
    assert!(matches!(refused(Format::OwnCsv, "id,name\n1,\"A"), ReadError::CutShort { .. }));
}

#[test]
fn any_encoding_is_read() {
    let text = "id,name\n1,José Müller\n";
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let latin: Vec<u8> = text.chars().map(|letter| letter as u8).collect();
    for (bytes, encoding, repaired) in
        [(utf_16, Encoding::Utf16Le, 0), (marked, Encoding::Utf16Be, 0), (latin, Encoding::Utf8, 2)]
    {
        let list = read_all(Format::OwnCsv, "own", Files::one(&bytes[..])).expect("a list");
        assert_eq!(list.entries[0].names[0].text, "José Müller");
        assert_eq!((list.report.encoding, list.report.repaired_bytes), (encoding, repaired));
    }
    let declared = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><CONSOLIDATED_LIST><ENTITY><DATAID>1</DATAID><FIRST_NAME>Jos\xe9</FIRST_NAME></ENTITY></CONSOLIDATED_LIST>";
    let list = read_all(Format::UnXml, "un", Files::one(&declared[..])).expect("a list");
    assert_eq!((list.entries[0].names[0].text.as_str(), list.report.repaired_bytes), ("José", 0));
}

#[test]
fn a_party_whose_id_is_taken_is_kept_and_reported() {
    let list = list(Format::OwnCsv, "id,name\n1,A\n1,B\n,C\n2,\n");
    let ids: Vec<&str> = list.entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["1", "1#2"]);
    assert_eq!(list.report.damaged, 3);
}

#[test]
fn names_of_any_length_are_read() {
    let long = "x".repeat(1_000);
    let list = list(Format::OwnCsv, &format!("id,name\n1,X\n2,😀\n3,{long}\n"));
    assert_eq!(list.entries[2].names[0].text, long);
}

#[test]
fn a_difference_is_of_content_and_not_of_order() {
    let old = list(Format::OwnCsv, "id,name,countries\n1,A,FR;DE\n2,B,\n3,C,\n").entries;
    let new = list(Format::OwnCsv, "id,name,countries\n4,D,\n3,C,IT\n1,A,DE;FR\n").entries;
    let found = diff(&old, &new);
    assert_eq!(
        (&found.added[..], &found.removed[..], &found.changed[..]),
        (&["4".to_owned()][..], &["2".to_owned()][..], &["3".to_owned()][..])
    );
    assert!(!found.shrank_by_half());
    let elsewhere: Vec<Entry> = old.iter().map(|entry| Entry { list: "copy".into(), ..entry.clone() }).collect();
    assert_eq!(diff(&old, &elsewhere).unchanged, 3);
    assert!(diff(&old, &new[..1]).shrank_by_half());
}

#[test]
fn dates_are_read_as_lists_write_them() {
    for (text, is) in [
        ("12 Mar 1960", "1960-03-12"),
        ("Mar 1960", "1960-03"),
        ("00/00/1960", "1960"),
        ("12/03/1960", "1960-03-12"),
        ("circa 1960", "circa 1960"),
        ("1960-1965", "1960 to 1965"),
        ("1960 to Mar 1965", "1960 to 1965-03"),
        ("1960-03-12T00:00:00", "1960-03-12"),
    ] {
        assert_eq!(DateRange::parse(text).map(|range| range.to_string()).as_deref(), Some(is), "{text}");
    }
    assert_eq!(DateRange::parse("unknown"), None);
    let admits = |range: &str, date: &str| {
        DateRange::parse(range).expect("a range").admits(PartialDate::parse(date).expect("a date"))
    };
    assert!(admits("1960", "1960-12-31") && admits("circa 1960", "1961-01-01") && !admits("1960-03", "1960-04-01"));
}

#[test]
fn each_format_is_told_by_its_start_and_by_its_name() {
    for (text, format) in [
        (OFAC, Format::OfacCsv),
        (OFAC_XML, Format::OfacXml),
        (UN, Format::UnXml),
        (EU, Format::EuXml),
        (EXAMPLE, Format::OwnCsv),
    ] {
        assert_eq!(Format::detect(text), Some(format));
    }
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    assert_eq!(Format::detect("%PDF-1.7"), None);
}

proptest! {
    #[test]
    fn no_bytes_harm_a_parser(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for format in Format::ALL {
            let _ = read_all(format, "own", Files::one(&bytes[..]));
        }
    }

    #[test]
    fn no_damage_of_an_honest_list_harms_its_parser(at in 0usize..3_000, byte in any::<u8>(), cut in 0usize..3_000) {
        for (format, text) in [(Format::OfacCsv, OFAC), (Format::OfacXml, OFAC_XML), (Format::UnXml, UN), (Format::EuXml, EU), (Format::OwnCsv, EXAMPLE)] {
            let mut bytes = text.as_bytes().to_vec();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length - cut % length);
            let _ = read_all(format, "own", Files::one(&bytes[..]));
        }
    }
}
