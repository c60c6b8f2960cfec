//! What each kind of field takes and refuses.

use serde_json::{Value, json};

use super::table::Kind;
use super::values::{quoted, values};

impl Kind {
    /// The JSON type that it is made of, and what a sentence says it expects.
    pub(super) fn json_type(self) -> (&'static str, String) {
        let plain = |name: &'static str| (name, name.to_owned());
        match self {
            Self::Boolean => plain("boolean"),
            Self::Percent => plain("number"),
            Self::Object => plain("object"),
            Self::Array => plain("array"),
            Self::OneOf(list) => ("string", quoted(list)),
            Self::Text(_) | Self::Email | Self::Phone | Self::Date | Self::Country | Self::Url => plain("string"),
        }
    }

    pub(super) fn is_text(self) -> bool {
        self.json_type().1 == "string"
    }

    /// The most characters, where the kind has a limit of its own.
    pub(super) fn longest(self) -> Option<usize> {
        match self {
            Self::Text(limit) => Some(limit),
            Self::Email => Some(254),
            Self::Url => Some(2048),
            _ => None,
        }
    }

    /// A valid text of this number of characters.
    pub(super) fn text_of(self, length: usize) -> String {
        match self {
            Self::Email => format!("{}@example.com", "a".repeat(length - 12)),
            Self::Url => format!("https://example.com/{}", "a".repeat(length - 20)),
            // Characters are counted, not bytes.
            _ => "é".repeat(length),
        }
    }

    /// Values of the right JSON type that will not do, with code and message.
    pub(super) fn bad_values(self) -> Vec<(Value, &'static str, String)> {
        let each = |texts: &[&str], code: &'static str, message: &str| {
            texts.iter().map(|text| (json!(text), code, message.to_owned())).collect()
        };
        match self {
            Self::Email => each(&BAD_EMAILS, "invalid_string", "Invalid email"),
            Self::Phone => {
                each(&BAD_PHONES, "invalid_string", "Must be a phone number in E.164 format, such as +12025551234")
            }
            Self::Date => each(&BAD_DATES, "invalid_string", "Must be a real calendar date in YYYY-MM-DD format"),
            Self::Country => each(&BAD_COUNTRIES, "custom", "Must be a 3-letter ISO 3166-1 country code, such as USA"),
            Self::Url => each(&BAD_URLS, "invalid_string", "Invalid url"),
            Self::Percent => {
                let low = "Number must be greater than or equal to 0";
                let high = "Number must be less than or equal to 100";
                let mut bad: Vec<_> =
                    [json!(-1), json!(-0.0001), json!(-1e300)].map(|value| (value, "too_small", low.into())).into();
                bad.extend([json!(101), json!(100.0001), json!(1e300)].map(|value| (value, "too_big", high.into())));
                bad
            }
            Self::OneOf(list) => {
                let wrong = ["", "nope", "unspecified", " ", &values(list)[0].to_uppercase()].map(str::to_owned);
                let sentence = |text: &str| format!("Invalid enum value. Expected {}, received '{text}'", quoted(list));
                // One of the lists is of words whose upper case is another value of none.
                wrong
                    .into_iter()
                    .filter(|text| !values(list).contains(&text.as_str()))
                    .map(|text| (json!(text), "invalid_enum_value", sentence(&text)))
                    .collect()
            }
            Self::Text(_) | Self::Boolean | Self::Object | Self::Array => Vec::new(),
        }
    }
}

const BAD_EMAILS: [&str; 9] = [
    "x",
    "@example.com",
    "a@",
    "a@b",
    "a b@example.com",
    "a@example..com",
    ".a@example.com",
    "a@@example.com",
    "a@é.fr",
];
const BAD_PHONES: [&str; 9] = [
    "2025551234",
    "+0202555",
    "+1",
    "+1234567890123456",
    "+1 202 555",
    "+1-202-555",
    "++12025551234",
    "+1202555123x",
    "00442071234567",
];
const BAD_DATES: [&str; 12] = [
    "2023-02-29",
    "2023-1-5",
    "2023-01-05T00:00:00Z",
    "1900-02-29",
    "2023-13-01",
    "2023-00-10",
    "2023-04-31",
    "05/01/2023",
    "2023-01-05 ",
    "+023-01-05",
    "20230105",
    "yesterday",
];
const BAD_COUNTRIES: [&str; 8] = ["US", "usa", "Usa", "ZZZ", "USAA", "840", "U S", "MÉX"];
const BAD_URLS: [&str; 8] = [
    "example.com",
    "ftp://example.com",
    "javascript:alert(1)",
    "https://",
    "http:example.com",
    "//example.com",
    "https://a b.com",
    "mailto:a@example.com",
];
