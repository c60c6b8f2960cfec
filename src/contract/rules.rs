//! The functions that implement the contract's CEL rules, each named by the second part of the rule's id.
//!
//! True means that the rule is kept. The rules are those of decisions, sections 2 and 3. A rule about a text's form
//! passes an empty text: whether it may be empty is for `min_len` to say. Every function answers for any input and
//! does its work in one pass.

use std::io;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use kira_gateway::check;
use kira_gateway::json::JsonEnum;
use kira_gateway::numbers::Numbers;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::v1;

/// The most pairs at the top of a `metadata` object.
const METADATA_KEYS: usize = 50;

/// The most bytes of a `metadata` object as compact JSON.
const METADATA_BYTES: usize = 16_384;

/// The most objects and arrays inside each other in a `metadata` object, itself included. Each takes up to three levels
/// of protobuf, of which its libraries read no more than a hundred: what is deeper could be written, but never read.
const METADATA_DEPTH: usize = 20;

/// The age from which a person may be a user, in years.
const ADULT_YEARS: i32 = 18;

/// A real day of the Gregorian calendar as YYYY-MM-DD.
#[must_use]
pub fn calendar_date(value: &str) -> bool {
    value.is_empty() || parse_date(value).is_some()
}

/// A telephone number in the international form of ITU-T E.164: `+`, then 2 to 15 digits, the first not 0.
#[must_use]
pub fn e164(value: &str) -> bool {
    if value.is_empty() {
        return true;
    }
    let Some(digits) = value.strip_prefix('+').map(str::as_bytes) else { return false };
    (2..=15).contains(&digits.len()) && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit)
}

/// An officially assigned alpha-3 code of ISO 3166-1, in upper case.
#[must_use]
pub fn country(value: &str) -> bool {
    value.is_empty() || rust_iso3166::from_alpha3(value).is_some()
}

/// All codes that [`country`] accepts.
pub fn countries() -> impl Iterator<Item = &'static str> {
    rust_iso3166::ALL.iter().map(|country| country.alpha3)
}

/// An absolute http or https URL with a host.
///
/// The parser of browsers also takes `http:host`, back slashes, and blanks that it strips or escapes; none of these is a
/// URL elsewhere, so they are refused.
#[must_use]
pub fn http_url(value: &str) -> bool {
    if value.is_empty() {
        return true;
    }
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !rest.starts_with(['/', '\\'])
        && !value.contains(|c: char| c.is_whitespace() || c.is_control())
        && url::Url::parse(value).is_ok_and(|url| url.has_host())
}

/// The secret of a webhook endpoint: `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0), or a text that begins
/// otherwise, which is used as its own bytes. Libraries of receivers refuse `whsec_` before anything else.
#[must_use]
pub fn webhook_secret(value: &str) -> bool {
    /// As `whsec_` is followed by at most: the base64 of 64 bytes.
    const LONGEST: usize = 88;
    let Some(encoded) = value.strip_prefix("whsec_") else { return true };
    encoded.len() <= LONGEST
        && base64_simd::STANDARD.decode_to_vec(encoded).is_ok_and(|bytes| (24..=64).contains(&bytes.len()))
}

/// An e-mail address as Zod 3 reads it:
/// `/^(?!\.)(?!.*\.\.)([A-Z0-9_'+\-\.]*)[A-Z0-9_+-]@([A-Z0-9][A-Z0-9\-]*\.)+[A-Z]{2,}$/i`.
#[must_use]
pub fn email_address(value: &str) -> bool {
    value.is_empty() || value.split_once('@').is_some_and(|(local, domain)| local_part(local) && domain_part(domain))
}

fn local_part(local: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-');
    !local.starts_with('.')
        && !local.contains("..")
        && local.bytes().all(|byte| plain(byte) || matches!(byte, b'\'' | b'.'))
        && local.bytes().last().is_some_and(plain)
}

fn domain_part(domain: &str) -> bool {
    let label = |label: &str| {
        label.starts_with(|first: char| first.is_ascii_alphanumeric())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    domain.rsplit_once('.').is_some_and(|(labels, top)| {
        top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic()) && labels.split('.').all(label)
    })
}

/// Born at least 18 years before the day of `now` in UTC. Who was born on 29 February comes of age on 1 March of a year
/// that has no such day. True for what is no date: another rule speaks of that.
#[must_use]
pub fn adult(value: &str, now: DateTime<Utc>) -> bool {
    parse_date(value).is_none_or(|birth| {
        let today = now.date_naive();
        let of_age = (birth.year() + ADULT_YEARS, birth.month(), birth.day());
        of_age <= (today.year(), today.month(), today.day())
    })
}

/// At most 50 pairs at the top.
#[must_use]
pub fn metadata_keys(value: &Struct, _now: DateTime<Utc>) -> bool {
    value.fields.len() <= METADATA_KEYS
}

/// At most 16,384 bytes as compact JSON; whole numbers count as they are written without a fraction.
#[must_use]
pub fn metadata_size(value: &Struct, _now: DateTime<Utc>) -> bool {
    let mut length = Length(0);
    length.object(value);
    length.0 <= METADATA_BYTES
}

/// Those keys of the kind of a government number whose values hide a part of it.
#[must_use]
pub fn masked_metadata(value: &Struct, _now: DateTime<Utc>) -> Vec<String> {
    let is_masked = |value: &Value| matches!(&value.kind, Some(Kind::StringValue(text)) if check::is_masked(text));
    let masked = value.fields.iter().filter(|(key, value)| is_masked(value) && is_number_key(key));
    masked.map(|(key, _)| key.clone()).collect()
}

/// Whether a key of `metadata` is one under which answers show a government number: a kind of tax ID, or a number of a
/// business.
#[must_use]
pub fn is_number_key(key: &str) -> bool {
    let kinds = <v1::IdentificationType as JsonEnum>::VALUES.iter();
    let is_tax_id = |number: i32| v1::IdentificationType::try_from(number).is_ok_and(is_tax_id);
    <v1::Business as Numbers>::NAMES.contains(&key)
        || kinds.into_iter().any(|(number, name)| *name == key && is_tax_id(*number))
}

/// At most 20 objects and arrays inside each other.
#[must_use]
pub fn metadata_depth(value: &Struct, _now: DateTime<Utc>) -> bool {
    object_fits(value, METADATA_DEPTH)
}

fn object_fits(value: &Struct, levels: usize) -> bool {
    levels.checked_sub(1).is_some_and(|levels| value.fields.values().all(|value| value_fits(value, levels)))
}

fn value_fits(value: &Value, levels: usize) -> bool {
    match &value.kind {
        Some(Kind::StructValue(object)) => object_fits(object, levels),
        Some(Kind::ListValue(list)) => {
            levels.checked_sub(1).is_some_and(|levels| list.values.iter().all(|value| value_fits(value, levels)))
        }
        _ => true,
    }
}

/// A tax ID has a number.
#[must_use]
pub fn tax_id_number(value: &v1::Identification, _now: DateTime<Utc>) -> bool {
    value.number.is_some() || !is_tax_id(value.r#type())
}

/// The number of a tax ID, where there is one, shows something: it is required, and a required text must not be empty to
/// a reader.
#[must_use]
pub fn tax_id_number_length(value: &v1::Identification, _now: DateTime<Utc>) -> bool {
    !value.number.as_deref().is_some_and(check::is_blank) || !is_tax_id(value.r#type())
}

fn is_tax_id(kind: v1::IdentificationType) -> bool {
    kind.category() == "tax_id"
}

/// The leading bytes of a file are of the declared media type. True for an empty file and for an unknown media type:
/// other rules speak of those.
#[must_use]
pub fn content_matches_media_type(value: &v1::File, _now: DateTime<Utc>) -> bool {
    let signature: &[u8] = match value.media_type() {
        v1::MediaType::Unspecified => return true,
        v1::MediaType::Jpeg => b"\xff\xd8\xff",
        v1::MediaType::Png => b"\x89PNG\r\n\x1a\n",
        v1::MediaType::Pdf => b"%PDF-",
    };
    value.content.is_empty() || value.content.starts_with(signature)
}

/// The day of a text that is exactly YYYY-MM-DD. chrono's own parser also takes signs, blanks and missing zeros.
fn parse_date(value: &str) -> Option<NaiveDate> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = value.as_bytes() else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let year = number(&[y1, y2, y3, y4])?.try_into().ok()?;
    NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)
}

/// Counts the bytes of compact JSON without writing it.
struct Length(usize);

impl Length {
    fn object(&mut self, object: &Struct) {
        self.sequence(object.fields.len());
        for (key, value) in &object.fields {
            self.scalar(key);
            self.0 += 1;
            self.value(value);
        }
    }

    fn value(&mut self, value: &Value) {
        match &value.kind {
            None | Some(Kind::NullValue(_)) => self.0 += "null".len(),
            Some(Kind::BoolValue(value)) => self.scalar(value),
            Some(Kind::NumberValue(value)) => self.number(*value),
            Some(Kind::StringValue(value)) => self.scalar(value),
            Some(Kind::StructValue(object)) => self.object(object),
            Some(Kind::ListValue(list)) => {
                self.sequence(list.values.len());
                list.values.iter().for_each(|value| self.value(value));
            }
        }
    }

    /// The brackets and commas around this number of elements.
    fn sequence(&mut self, elements: usize) {
        self.0 += 2 + elements.saturating_sub(1);
    }

    fn number(&mut self, value: f64) {
        self.scalar(&value);
        if value.fract() == 0.0 && value.abs() < 1e16 {
            // serde_json writes 1 as 1.0.
            self.0 -= ".0".len();
        }
    }

    fn scalar<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        if let Err(error) = serde_json::to_writer(&mut *self, value) {
            // Neither a scalar nor this writer can fail.
            debug_assert!(false, "{error}");
        }
    }
}

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
