//! Values that are one token of JSON: texts, numbers, booleans, enums, binary content.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64_simd::STANDARD;
use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::read::{FromJson, Reader, Skip};

/// A JSON token that holds one value.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A negative integer.
    Int(i64),
    /// An integer that is not negative.
    Uint(u64),
    /// A number with a fraction or an exponent, or an integer beyond 64 bits.
    Float(f64),
    /// A string.
    Text(&'a str),
}

impl Token<'_> {
    fn type_name(self) -> &'static str {
        match self {
            Token::Bool(_) => "boolean",
            Token::Int(_) | Token::Uint(_) | Token::Float(_) => "number",
            Token::Text(_) => "string",
        }
    }
}

/// Why a token was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// It is of another JSON type.
    Type,
    /// Its value will not do: code and sentence.
    Value(&'static str, Cow<'static, str>),
}

/// A type that is read from one token.
pub trait Scalar {
    /// What is read.
    type Value: Default;

    /// The type's name in a sentence: "string", or the values of a list.
    fn expected() -> Cow<'static, str>;

    /// Takes a token.
    ///
    /// # Errors
    /// Why it does not.
    fn read(token: Token<'_>) -> Result<Self::Value, Refusal>;

    /// Takes a text that stands for the value where there are only texts: in a path, a query or a header.
    ///
    /// # Errors
    /// Why it does not.
    fn from_text(text: &str) -> Result<Self::Value, Refusal> {
        Self::read(Token::Text(text))
    }
}

impl<T: Scalar> FromJson for T {
    type Value = T::Value;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<T::Value>, D::Error> {
        json.deserialize_any(ScalarVisitor { reader, value: PhantomData::<T> })
    }
}

struct ScalarVisitor<'r, 'de, T> {
    reader: &'r Reader<'de>,
    value: PhantomData<T>,
}

impl<T: Scalar> ScalarVisitor<'_, '_, T> {
    fn take<E>(self, token: Token<'_>) -> Result<Option<T::Value>, E> {
        match T::read(token) {
            Ok(value) => return Ok(Some(value)),
            Err(Refusal::Type) => self.reader.wrong_type(&T::expected(), token.type_name()),
            Err(Refusal::Value(code, message)) => self.reader.problem(code, message),
        }
        Ok(None)
    }
}

impl<'de, T: Scalar> Visitor<'de> for ScalarVisitor<'_, 'de, T> {
    type Value = Option<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&T::expected())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        self.reader.wrong_type(&T::expected(), "null");
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        self.take(Token::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        self.take(Token::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        self.take(Token::Uint(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        self.take(Token::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        self.take(Token::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Skip(self.reader).visit_seq(items)?;
        self.reader.wrong_type(&T::expected(), "array");
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        Skip(self.reader).visit_map(entries)?;
        self.reader.wrong_type(&T::expected(), "object");
        Ok(None)
    }
}

impl Scalar for String {
    type Value = String;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<String, Refusal> {
        match token {
            Token::Text(text) => Ok(text.to_owned()),
            _ => Err(Refusal::Type),
        }
    }
}

impl Scalar for bool {
    type Value = bool;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("boolean")
    }

    fn read(token: Token<'_>) -> Result<bool, Refusal> {
        match token {
            Token::Bool(value) => Ok(value),
            _ => Err(Refusal::Type),
        }
    }

    fn from_text(text: &str) -> Result<bool, Refusal> {
        text.parse().map_err(|_| Refusal::Type)
    }
}

/// Integers. Those of 64 bits are read from texts too, because JSON numbers lose them in many languages.
macro_rules! integer {
    ($($type:ty, $texts:literal;)*) => {$(
        impl Scalar for $type {
            type Value = $type;

            fn expected() -> Cow<'static, str> {
                Cow::Borrowed("number")
            }

            fn read(token: Token<'_>) -> Result<$type, Refusal> {
                let wide = match token {
                    Token::Int(value) => i128::from(value),
                    Token::Uint(value) => i128::from(value),
                    Token::Float(value) if value.fract() == 0.0 => value as i128,
                    Token::Float(_) => {
                        return Err(Refusal::Value("invalid_type", "Expected integer, received float".into()));
                    }
                    Token::Text(text) if $texts => return Self::from_text(text),
                    _ => return Err(Refusal::Type),
                };
                <$type>::try_from(wide).map_err(|_| {
                    if wide < i128::from(<$type>::MIN) {
                        let message = format!("Number must be greater than or equal to {}", <$type>::MIN);
                        Refusal::Value("too_small", message.into())
                    } else {
                        let message = format!("Number must be less than or equal to {}", <$type>::MAX);
                        Refusal::Value("too_big", message.into())
                    }
                })
            }

            fn from_text(text: &str) -> Result<$type, Refusal> {
                text.parse().map_err(|_| Refusal::Type)
            }
        }
    )*};
}

integer! {
    i32, false;
    u32, false;
    i64, true;
    u64, true;
}

macro_rules! float {
    ($($type:ty),*) => {$(
        impl Scalar for $type {
            type Value = $type;

            fn expected() -> Cow<'static, str> {
                Cow::Borrowed("number")
            }

            fn read(token: Token<'_>) -> Result<$type, Refusal> {
                match token {
                    Token::Int(value) => Ok(value as $type),
                    Token::Uint(value) => Ok(value as $type),
                    Token::Float(value) => Ok(value as $type),
                    _ => Err(Refusal::Type),
                }
            }

            fn from_text(text: &str) -> Result<$type, Refusal> {
                let value: $type = text.parse().map_err(|_| Refusal::Type)?;
                if value.is_finite() { Ok(value) } else { Err(Refusal::Type) }
            }
        }
    )*};
}

float!(f32, f64);

/// An enum with the JSON names of its values, the unspecified one left out.
pub trait JsonEnum {
    /// Number and JSON name of every value, in schema order.
    const VALUES: &'static [(i32, &'static str)];

    /// The JSON name of a value; `None` for the unspecified and for unknown ones.
    #[must_use]
    fn name_of(number: i32) -> Option<&'static str> {
        Self::VALUES.iter().find(|(value, _)| *value == number).map(|(_, name)| *name)
    }
}

/// Reads the enum `E` as its number.
#[derive(Debug)]
pub struct Enum<E>(PhantomData<E>);

impl<E: JsonEnum> Scalar for Enum<E> {
    type Value = i32;

    fn expected() -> Cow<'static, str> {
        Cow::Owned(expected_values(E::VALUES.iter().map(|(_, name)| *name)))
    }

    fn read(token: Token<'_>) -> Result<i32, Refusal> {
        let Token::Text(text) = token else { return Err(Refusal::Type) };
        match E::VALUES.iter().find(|(_, name)| *name == text) {
            Some((number, _)) => Ok(*number),
            None => Err(Refusal::Value("invalid_enum_value", unknown_value::<E>(text).into())),
        }
    }
}

/// The sentence for a value outside the list of `E`.
pub(crate) fn unknown_value<E: JsonEnum>(received: &str) -> String {
    let expected = expected_values(E::VALUES.iter().map(|(_, name)| *name));
    let shown: String = received.chars().take(64).collect();
    format!("Invalid enum value. Expected {expected}, received '{shown}'")
}

/// The values of a list in a sentence: `'a' | 'b'`.
pub fn expected_values(names: impl IntoIterator<Item = &'static str>) -> String {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(" | ");
        }
        text.push('\'');
        text.push_str(name);
        text.push('\'');
    }
    text
}

/// Reads binary content from base64 text.
#[derive(Debug)]
pub struct Base64;

impl Scalar for Base64 {
    type Value = Bytes;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<Bytes, Refusal> {
        Vec::<u8>::read(token).map(Bytes::from)
    }
}

impl Scalar for Vec<u8> {
    type Value = Vec<u8>;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<Vec<u8>, Refusal> {
        let Token::Text(text) = token else { return Err(Refusal::Type) };
        STANDARD.decode_to_vec(text).map_err(|_| Refusal::Value("invalid_string", "Must be base64".into()))
    }
}

/// Room behind the content of a file, in bytes: whoever encrypts it in place can add a trailer without a copy.
const SPARE: usize = 64;

/// Reads `data:<media type>;base64,<payload>`: the number of the media type's enum value, and the payload.
///
/// # Errors
/// The text is no base64 data URI, or its media type is not one of `E`.
pub fn data_uri<E: JsonEnum>(token: Token<'_>) -> Result<(i32, Bytes), Refusal> {
    let Token::Text(text) = token else { return Err(Refusal::Type) };
    let malformed = || {
        let message = "Must be a base64 data URI, such as data:image/jpeg;base64,…";
        Refusal::Value("invalid_string", message.into())
    };
    let scheme = text.get(..5).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return Err(malformed());
    }
    // The media type stands in the first few bytes; looking further would search a whole file for a comma.
    let head = text.as_bytes()[5..].iter().take(128).position(|byte| *byte == b',').ok_or_else(malformed)?;
    let (head, payload) = (&text[5..5 + head], &text[6 + head..]);
    let media_type = head.strip_suffix(";base64").ok_or_else(malformed)?;
    let Some((number, _)) = E::VALUES.iter().find(|(_, name)| name.eq_ignore_ascii_case(media_type)) else {
        let expected = expected_values(E::VALUES.iter().map(|(_, name)| *name));
        return Err(Refusal::Value("custom", format!("Unsupported media type. Expected {expected}").into()));
    };
    let mut content = Vec::with_capacity(payload.len() / 4 * 3 + SPARE);
    STANDARD.decode_append(payload, &mut content).map_err(|_| malformed())?;
    Ok((*number, Bytes::from(content)))
}

/// Writes `data:<media type>;base64,<payload>`.
pub fn write_data_uri<E: JsonEnum>(media_type: i32, content: &[u8], out: &mut super::write::Writer) {
    let name = E::name_of(media_type).unwrap_or_default();
    out.text(&format!("data:{name};base64,{}", STANDARD.encode_to_string(content)));
}
