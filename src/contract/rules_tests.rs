use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

fn noon(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, 12, 0, 0).single().expect("a real time")
}

fn text(value: &str) -> Value {
    Value { kind: Some(Kind::StringValue(value.to_owned())) }
}

fn object(pairs: impl IntoIterator<Item = (String, Value)>) -> Struct {
    Struct { fields: pairs.into_iter().collect() }
}

fn identification(kind: v1::IdentificationType, number: Option<&str>) -> v1::Identification {
    v1::Identification { r#type: Some(kind.into()), number: number.map(str::to_owned), ..v1::Identification::default() }
}

fn file(media_type: v1::MediaType, content: &'static [u8]) -> v1::File {
    v1::File { media_type: media_type.into(), content: content.into() }
}

#[test]
fn every_rule_about_form_passes_an_empty_text() {
    for rule in [calendar_date, e164, country, http_url, email_address] {
        assert!(rule(""));
    }
}

#[test]
fn a_real_day_in_the_documented_form_is_a_calendar_date() {
    for value in ["1990-01-15", "2024-02-29", "2000-02-29", "0000-02-29", "9999-12-31", "0001-01-01"] {
        assert!(calendar_date(value), "{value}");
    }
}

#[test]
fn another_form_or_a_day_that_never_was_is_no_calendar_date() {
    let refused = "2023-02-29 1900-02-29 2024-13-01 2024-00-10 2024-04-31 2024-01-00 2024-1-01 24-01-01 20240101 \
        2024/01/01 +024-01-01 -024-01-01 2024-01-011 02024-01-01 2024-01-01T00:00:00Z 01-01-2024 ２０２４-01-01 today";
    for value in refused.split_ascii_whitespace().chain([" 2024-01-01", "2024-01-01\n", "2024- 1-01"]) {
        assert!(!calendar_date(value), "{value:?}");
    }
}

#[test]
fn a_number_with_plus_and_two_to_fifteen_digits_is_e164() {
    for value in ["+12025551234", "+5215512345678", "+11", "+123456789012345"] {
        assert!(e164(value), "{value}");
    }
    for value in ["12025551234", "+", "+1", "+02025551234", "+1234567890123456", "+1 202 555", "+1202a", "+１2", "++12"]
    {
        assert!(!e164(value), "{value}");
    }
}

#[test]
fn an_assigned_code_in_upper_case_is_a_country() {
    for value in ["USA", "MEX", "BRA", "COL", "SSD"] {
        assert!(country(value), "{value}");
    }
    for value in ["usa", "US", "840", "XXX", "ZZZ", "EUR", "XKX", "ANT", "USA ", "Usa", "ÜSA"] {
        assert!(!country(value), "{value}");
    }
}

#[test]
fn the_number_of_countries_is_that_of_iso_3166() {
    let letters = || (b'A'..=b'Z').map(char::from);
    let all = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| String::from_iter([a, b, c]))));
    assert_eq!(all.filter(|code| country(code)).count(), 249);
}

#[test]
fn an_absolute_http_url_with_a_host_is_one() {
    let accepted = "https://acmetech.com http://a.b/c?d=e#f HTTPS://EXAMPLE.COM https://example.com:8443/ \
        http://localhost http://127.0.0.1 http://[::1]/ https://user@example.com https://münchen.de/straße";
    for value in accepted.split_ascii_whitespace() {
        assert!(http_url(value), "{value}");
    }
}

#[test]
fn what_browsers_would_repair_or_another_scheme_is_no_http_url() {
    let refused = "acmetech.com www.acmetech.com ftp://example.com javascript:alert(1) //example.com https: https:// \
        http:example.com http:/example.com https:\\\\example.com https:///example.com https://\\example.com \
        https://?q https://# https://exa%mple.com https://example.com:99999 https://[::1 mailto:a@b.co data:,x \
        file:///etc/passwd http://@";
    let blanks =
        [" https://a.co", "https://a.co ", "https://a .co", "https://a.co/a b", "https://a.co\n", "ht\ttp://a.co"];
    for value in refused.split_ascii_whitespace().chain(blanks) {
        assert!(!http_url(value), "{value:?}");
    }
}

#[test]
fn what_zod_takes_is_an_email_address() {
    let accepted = "a@b.co john.doe@example.com JOHN@EXAMPLE.COM a+b@c.io a-b@c.io -a@b.co +a@b.co _@b.co a_b@c-d.e-f.org \
        'o@b.co o'neil@b.co a.'b@c.co 1@2.co a@1.2.3.co a@b-.co a@xn--bcher-kva.ch a'.b@c.co a@b.museum";
    for value in accepted.split_ascii_whitespace() {
        assert!(email_address(value), "{value}");
    }
}

#[test]
fn what_zod_refuses_is_no_email_address() {
    let refused = "a @ a@ @b.co a@b a@b.c a@b.c1 a@b.co1 .a@b.co a.@b.co a..b@c.co a'@b.co a@.co a@b..co a@-b.co a@b.co. \
        a@b_c.co a@@b.co a@b@c.co a@b,co a#b@c.co a!b@c.co a%b@c.co a/b@c.co \"a\"@b.co <a@b.co> a@[127.0.0.1] \
        ü@b.co a@bücher.ch a@b.cö ſ@b.co mailto:a@b.co";
    for value in refused.split_ascii_whitespace().chain([
        " a@b.co",
        "a@b.co ",
        "a@b.co\n",
        "a b@c.co",
        "a@b .co",
        "a@b.\u{212a}om",
    ]) {
        assert!(!email_address(value), "{value:?}");
    }
}

#[test]
fn a_person_is_adult_from_the_eighteenth_birthday_on() {
    assert!(!adult("2008-06-15", noon(2026, 6, 14)));
    assert!(adult("2008-06-15", noon(2026, 6, 15)));
    assert!(adult("2008-06-15", noon(2026, 12, 1)));
    assert!(adult("1908-06-15", noon(2026, 6, 15)));
    assert!(!adult("2026-06-16", noon(2026, 6, 15)));
}

#[test]
fn the_day_of_the_request_is_that_of_utc() {
    let midnight = Utc.with_ymd_and_hms(2026, 6, 15, 0, 0, 0).single().expect("a real time");
    assert!(adult("2008-06-15", midnight));
    assert!(!adult("2008-06-15", midnight - chrono::TimeDelta::nanoseconds(1)));
}

#[test]
fn who_was_born_on_29_february_is_adult_on_1_march() {
    assert!(!adult("2008-02-29", noon(2026, 2, 28)));
    assert!(adult("2008-02-29", noon(2026, 3, 1)));
}

#[test]
fn what_is_no_date_is_left_to_the_rule_about_dates() {
    for value in ["", "yesterday", "2024-02-30"] {
        assert!(adult(value, noon(2026, 1, 1)));
    }
}

#[test]
fn metadata_may_have_fifty_pairs_at_the_top() {
    let now = noon(2026, 1, 1);
    let pairs = |count: usize| object((0..count).map(|index| (format!("k{index}"), text(""))));
    assert!(metadata_keys(&pairs(50), now));
    assert!(!metadata_keys(&pairs(51), now));
    let nested = Value { kind: Some(Kind::StructValue(pairs(51))) };
    assert!(metadata_keys(&object([("all".to_owned(), nested)]), now));
}

#[test]
fn metadata_may_have_16384_bytes_of_json() {
    let now = noon(2026, 1, 1);
    let frame = r#"{"k":""}"#.len();
    let of = |length: usize| object([("k".to_owned(), text(&"x".repeat(length - frame)))]);
    assert!(metadata_size(&of(16_384), now));
    assert!(!metadata_size(&of(16_385), now));
}

#[test]
fn metadata_may_nest_20_levels_deep() {
    let now = noon(2026, 1, 1);
    let within = |inner: Value, array: bool| Value {
        kind: Some(match array {
            true => Kind::ListValue(prost_types::ListValue { values: vec![text(""), inner] }),
            false => Kind::StructValue(object([("k".to_owned(), inner)])),
        }),
    };
    for array in [false, true] {
        let of = |levels: usize| {
            let inner = (1..levels).fold(text("x"), |inner, _| within(inner, array));
            object([("k".to_owned(), inner)])
        };
        assert!(metadata_depth(&of(20), now));
        assert!(!metadata_depth(&of(21), now));
    }
    assert!(metadata_depth(&object([]), now));
}

#[test]
fn a_tax_id_needs_a_number_and_other_identifications_do_not() {
    use v1::IdentificationType::{BusinessFormation, Curp, Ein, Nit, Passport, Ssn, Unspecified};
    let now = noon(2026, 1, 1);
    for kind in [Ssn, Curp, Ein, Nit] {
        assert!(!tax_id_number(&identification(kind, None), now), "{}", kind.as_str_name());
        assert!(tax_id_number(&identification(kind, Some("1")), now), "{}", kind.as_str_name());
    }
    for kind in [Passport, BusinessFormation, Unspecified] {
        assert!(tax_id_number(&identification(kind, None), now), "{}", kind.as_str_name());
    }
}

#[test]
fn the_number_of_a_tax_id_must_not_be_empty_and_that_of_a_passport_may() {
    use v1::IdentificationType::{Passport, Ssn};
    let now = noon(2026, 1, 1);
    assert!(!tax_id_number_length(&identification(Ssn, Some("")), now));
    assert!(tax_id_number_length(&identification(Ssn, Some("1")), now));
    assert!(tax_id_number_length(&identification(Ssn, None), now));
    assert!(tax_id_number_length(&identification(Passport, Some("")), now));
}

#[test]
fn a_file_is_what_its_leading_bytes_say() {
    use v1::MediaType::{Jpeg, Pdf, Png, Unspecified};
    let now = noon(2026, 1, 1);
    let right = [
        (Jpeg, b"\xff\xd8\xff\xe0".as_slice()),
        (Png, b"\x89PNG\r\n\x1a\n"),
        (Pdf, b"%PDF-1.7"),
        (Jpeg, b""),
        (Unspecified, b"GIF89a"),
    ];
    for (media_type, content) in right {
        assert!(content_matches_media_type(&file(media_type, content), now), "{}", media_type.as_str_name());
    }
    let wrong = [(Jpeg, b"GIF89a".as_slice()), (Png, b"\x89PNG"), (Pdf, b"\xff\xd8\xff"), (Jpeg, b"\xff\xd8")];
    for (media_type, content) in wrong {
        assert!(!content_matches_media_type(&file(media_type, content), now), "{}", media_type.as_str_name());
    }
}

/// Any JSON value, with numbers that are whole or not.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<i32>().prop_map(|whole| (f64::from(whole) + 0.1).into()),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn to_value(json: &serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(*value),
        serde_json::Value::Number(value) => Kind::NumberValue(value.as_f64().expect("every number is one here")),
        serde_json::Value::String(value) => Kind::StringValue(value.clone()),
        serde_json::Value::Array(list) => {
            Kind::ListValue(prost_types::ListValue { values: list.iter().map(to_value).collect() })
        }
        serde_json::Value::Object(map) => {
            Kind::StructValue(object(map.iter().map(|(key, value)| (key.clone(), to_value(value)))))
        }
    };
    Value { kind: Some(kind) }
}

proptest! {
    #[test]
    fn calendar_dates_are_those_that_chrono_has(year in 0_i32..10_000, month in 0_u32..15, day in 0_u32..35) {
        let value = format!("{year:04}-{month:02}-{day:02}");
        prop_assert_eq!(calendar_date(&value), NaiveDate::from_ymd_opt(year, month, day).is_some());
    }

    #[test]
    fn no_text_upsets_a_rule(value in ".*", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for value in [value.as_str(), &String::from_utf8_lossy(&bytes)] {
            for rule in [calendar_date, e164, country, http_url, email_address] {
                rule(value);
            }
            let _ = adult(value, noon(2026, 1, 1));
        }
    }

    #[test]
    fn an_address_of_allowed_letters_is_read_as_the_rule_of_zod_reads_it(
        local in "[a-cA-C0-1_'+.-]{0,5}", domain in "[a-bA-B0-1.-]{0,8}"
    ) {
        let value = format!("{local}@{domain}");
        // The expression once more, piece by piece and slowly.
        let plain = |c: char| c.is_ascii_alphanumeric() || "_+-".contains(c);
        let labels: Vec<&str> = domain.split('.').collect();
        let top = labels[labels.len() - 1];
        let expected = !value.starts_with('.') && !value.contains("..")
            && local.chars().next_back().is_some_and(plain)
            && labels.len() >= 2
            && labels[..labels.len() - 1].iter().all(|label| label.chars().next().is_some_and(|c| c.is_ascii_alphanumeric()))
            && top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic());
        prop_assert_eq!(email_address(&value), expected);
    }

    #[test]
    fn the_length_of_metadata_is_that_of_its_json(map in prop::collection::btree_map(".*", json(), 0..6)) {
        let json = serde_json::Value::Object(map.clone().into_iter().collect());
        let mut length = Length(0);
        length.object(&object(map.iter().map(|(key, value)| (key.clone(), to_value(value)))));
        prop_assert_eq!(length.0, json.to_string().len());
    }

    #[test]
    fn an_adult_stays_one(days in 0_i64..20_000, later in 0_i64..5_000) {
        let start = noon(2000, 1, 1);
        let now = start + chrono::TimeDelta::days(days);
        if adult("2004-02-29", now) {
            prop_assert!(adult("2004-02-29", now + chrono::TimeDelta::days(later)));
        }
    }
}

#[test]
fn the_number_of_a_tax_id_is_reported_at_its_own_place() {
    let problems = |number: &str| {
        let body = format!(
            r#"{{"type":"individual","email":"a@b.co","first_name":"A","last_name":"B",
                "identifying_information":[{{"type":"ssn","issuing_country":"USA"{number}}}]}}"#
        );
        let read = kira_gateway::json::read::<v1::CreateUserRequest>(body.as_bytes());
        let mut request = read.message;
        request.idempotency_key = Some("550e8400-e29b-41d4-a716-446655440000".to_owned());
        let found = kira_gateway::check::accept(&mut request, noon(2026, 1, 1), read.problems);
        let found = found.err().map(kira_gateway::problem::Problems::into_sorted).unwrap_or_default();
        found.into_iter().map(|problem| format!("{} {}", problem.path, problem.code)).collect::<Vec<_>>()
    };
    let place = "identifying_information.0.number";
    assert_eq!(problems(r#","number":"123-45-6789""#), Vec::<String>::new());
    assert_eq!(problems(""), [format!("{place} invalid_type")]);
    assert_eq!(problems(r#","number":"""#), [format!("{place} too_small")]);
}
