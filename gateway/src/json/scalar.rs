//! Values that are one token of JSON: texts, numbers, booleans, enums, binary content.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64_simd::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
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
pub enum ScalarError {
    /// It is of another JSON type.
    Type,
    /// Its value will not do: code and sentence.
    Value(&'static str, Cow<'static, str>),
    /// Its value is not one of the expected ones.
    Unlisted {
        /// Lists the expected values.
        expected: fn() -> Cow<'static, str>,
        /// The beginning of the value.
        received: String,
    },
}

impl ScalarError {
    /// The code and the sentence, where `T` was expected and a token of the JSON type `received` came. The sentence is
    /// made on demand: that of an enum lists all its values.
    pub(crate) fn describe<T: Scalar>(self, received: &str) -> (&'static str, impl FnOnce() -> Cow<'static, str>) {
        let code = match &self {
            Self::Type => "invalid_type",
            Self::Value(code, _) => code,
            Self::Unlisted { .. } => "invalid_enum_value",
        };
        let sentence = move || match self {
            Self::Type => format!("Expected {}, received {received}", T::expected()).into(),
            Self::Value(_, sentence) => sentence,
            Self::Unlisted { expected, received } => unlisted_value(&expected(), &received).into(),
        };
        (code, sentence)
    }
}

/// The sentence for a value outside a list.
pub(crate) fn unlisted_value(expected: &str, received: &str) -> String {
    format!("Invalid enum value. Expected {expected}, received '{received}'")
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
    fn read(token: Token<'_>) -> Result<Self::Value, ScalarError>;

    /// Takes a text that represents the value where there are only texts: in a path, a query or a header.
    ///
    /// # Errors
    /// Why it does not.
    fn from_text(text: &str) -> Result<Self::Value, ScalarError> {
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
            Ok(value) => Ok(Some(value)),
            Err(refusal) => self.refuse(refusal, token.type_name()),
        }
    }

    fn refuse<E>(self, refusal: ScalarError, received: &str) -> Result<Option<T::Value>, E> {
        let (code, sentence) = refusal.describe::<T>(received);
        self.reader.problem_with(code, sentence);
        Ok(None)
    }
}

impl<'de, T: Scalar> Visitor<'de> for ScalarVisitor<'_, 'de, T> {
    type Value = Option<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&T::expected())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        self.refuse(ScalarError::Type, "null")
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
        self.refuse(ScalarError::Type, "array")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        Skip(self.reader).visit_map(entries)?;
        self.refuse(ScalarError::Type, "object")
    }
}

impl Scalar for String {
    type Value = String;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<String, ScalarError> {
        match token {
            Token::Text(text) => Ok(text.to_owned()),
            _ => Err(ScalarError::Type),
        }
    }
}

impl Scalar for bool {
    type Value = bool;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("boolean")
    }

    fn read(token: Token<'_>) -> Result<bool, ScalarError> {
        match token {
            Token::Bool(value) => Ok(value),
            _ => Err(ScalarError::Type),
        }
    }

    fn from_text(text: &str) -> Result<bool, ScalarError> {
        text.parse().map_err(|_| ScalarError::Type)
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

            fn read(token: Token<'_>) -> Result<$type, ScalarError> {
                let wide = match token {
                    Token::Int(value) => i128::from(value),
                    Token::Uint(value) => i128::from(value),
                    Token::Float(value) if value.fract() == 0.0 => value as i128,
                    Token::Float(_) => {
                        return Err(ScalarError::Value("invalid_type", "Expected integer, received float".into()));
                    }
                    Token::Text(text) if $texts => return Self::from_text(text),
                    _ => return Err(ScalarError::Type),
                };
                <$type>::try_from(wide).map_err(|_| {
                    if wide < i128::from(<$type>::MIN) {
                        let message = format!("Number must be greater than or equal to {}", <$type>::MIN);
                        ScalarError::Value("too_small", message.into())
                    } else {
                        let message = format!("Number must be less than or equal to {}", <$type>::MAX);
                        ScalarError::Value("too_big", message.into())
                    }
                })
            }

            fn from_text(text: &str) -> Result<$type, ScalarError> {
                text.parse().map_err(|_| ScalarError::Type)
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

            fn read(token: Token<'_>) -> Result<$type, ScalarError> {
                let value = match token {
                    Token::Int(value) => value as $type,
                    Token::Uint(value) => value as $type,
                    Token::Float(value) => value as $type,
                    _ => return Err(ScalarError::Type),
                };
                if value.is_finite() { Ok(value) } else { Err(beyond(value < 0.0, &<$type>::MAX)) }
            }

            fn from_text(text: &str) -> Result<$type, ScalarError> {
                // Rust reads the words for not-a-number and infinity too; JSON does not.
                if text.bytes().any(|byte| byte.is_ascii_alphabetic() && !byte.eq_ignore_ascii_case(&b'e')) {
                    return Err(ScalarError::Type);
                }
                let value: $type = text.parse().map_err(|_| ScalarError::Type)?;
                if value.is_finite() { Ok(value) } else { Err(beyond(value < 0.0, &<$type>::MAX)) }
            }
        }
    )*};
}

float!(f32, f64);

/// The refusal of a number that lies beyond those of its type, which would make it infinite.
fn beyond(is_negative: bool, max: &dyn fmt::LowerExp) -> ScalarError {
    match is_negative {
        true => ScalarError::Value("too_small", format!("Number must be greater than or equal to -{max:e}").into()),
        false => ScalarError::Value("too_big", format!("Number must be less than or equal to {max:e}").into()),
    }
}

/// An enum with the JSON names of its values, the unspecified one left out.
pub trait JsonEnum {
    /// Number and JSON name of every value, in schema order.
    const VALUES: &'static [(i32, &'static str)];

    /// The JSON name of a value; `None` for the unspecified and for unknown ones.
    #[must_use]
    fn name_of(number: i32) -> Option<&'static str> {
        Self::VALUES.iter().find(|(value, _)| *value == number).map(|(_, name)| *name)
    }

    /// The number of the value with this JSON name.
    #[must_use]
    fn number_of(name: &str) -> Option<i32> {
        Self::VALUES.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
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

    fn read(token: Token<'_>) -> Result<i32, ScalarError> {
        let Token::Text(text) = token else { return Err(ScalarError::Type) };
        match E::VALUES.iter().find(|(_, name)| *name == text) {
            Some((number, _)) => Ok(*number),
            None => Err(ScalarError::Unlisted { expected: Self::expected, received: text.chars().take(64).collect() }),
        }
    }
}

/// Reads the enum `E`, which says what kind of request it is, as its number. Anything else is an unknown kind.
#[derive(Debug)]
pub struct Discriminator<E>(PhantomData<E>);

impl<E: JsonEnum> FromJson for Discriminator<E> {
    type Value = i32;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<i32>, D::Error> {
        json.deserialize_any(KindVisitor { reader, value: PhantomData::<E> }).map(Some)
    }
}

/// Gives the number of a kind, or 0: the check refuses that, as it does over gRPC.
struct KindVisitor<'r, 'de, E> {
    reader: &'r Reader<'de>,
    value: PhantomData<E>,
}

impl<'de, E: JsonEnum> Visitor<'de> for KindVisitor<'_, 'de, E> {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kind")
    }

    fn visit_unit<F>(self) -> Result<i32, F> {
        Ok(0)
    }

    fn visit_bool<F>(self, _: bool) -> Result<i32, F> {
        Ok(0)
    }

    fn visit_i64<F>(self, _: i64) -> Result<i32, F> {
        Ok(0)
    }

    fn visit_u64<F>(self, _: u64) -> Result<i32, F> {
        Ok(0)
    }

    fn visit_f64<F>(self, _: f64) -> Result<i32, F> {
        Ok(0)
    }

    fn visit_str<F>(self, text: &str) -> Result<i32, F> {
        Ok(Enum::<E>::read(Token::Text(text)).unwrap_or_default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<i32, A::Error> {
        Skip(self.reader).visit_seq(items).map(|()| 0)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<i32, A::Error> {
        Skip(self.reader).visit_map(entries).map(|()| 0)
    }
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

    fn read(token: Token<'_>) -> Result<Bytes, ScalarError> {
        Vec::<u8>::read(token).map(Bytes::from)
    }
}

impl Scalar for Vec<u8> {
    type Value = Vec<u8>;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<Vec<u8>, ScalarError> {
        let Token::Text(text) = token else { return Err(ScalarError::Type) };
        // Protobuf JSON reads both alphabets, padded or not. What is written is the standard one, padded.
        let decoded = STANDARD.decode_to_vec(text).or_else(|_| {
            let text = text.trim_end_matches('=');
            let is_url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
            let base64 = if is_url_safe { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
            base64.decode_to_vec(text)
        });
        decoded.map_err(|_| ScalarError::Value("invalid_string", "Must be base64".into()))
    }
}

/// Room behind the content of a file, in bytes: code that encrypts it in place can add a trailer without a copy.
const SPARE: usize = 64;
/// How far the payload of a data URI may be from its scheme, in bytes.
const MAX_HEAD: usize = 1024;

/// Reads `data:<media type>;base64,<payload>`: the number of the media type's enum value, and the payload.
///
/// # Errors
/// The text is no base64 data URI, or its media type is not one of `E`.
pub fn data_uri<E: JsonEnum>(token: Token<'_>) -> Result<(i32, Bytes), ScalarError> {
    let Token::Text(text) = token else { return Err(ScalarError::Type) };
    let malformed = || {
        let message = "Must be a base64 data URI, such as data:image/jpeg;base64,…";
        ScalarError::Value("invalid_string", message.into())
    };
    let scheme = text.get(..5).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return Err(malformed());
    }
    // The media type is in the first bytes; looking further would search a whole file for a comma.
    let head = text.as_bytes()[5..].iter().take(MAX_HEAD).position(|byte| *byte == b',').ok_or_else(malformed)?;
    let (head, payload) = (&text[5..5 + head], &text[6 + head..]);
    let head = head.strip_suffix(";base64").ok_or_else(malformed)?;
    let (media_type, parameter) = head.split_once(';').map_or((head, None), |(start, rest)| (start, Some(rest)));
    let Some((number, name)) = E::VALUES.iter().find(|(_, name)| name.eq_ignore_ascii_case(media_type)) else {
        let expected = expected_values(E::VALUES.iter().map(|(_, name)| *name));
        return Err(ScalarError::Value("custom", format!("Unsupported media type. Expected {expected}").into()));
    };
    if let Some(parameter) = parameter {
        return Err(ScalarError::Value("custom", parameter_refused(parameter, name).into()));
    }
    let mut content = Vec::with_capacity(payload.len() / 4 * 3 + SPARE);
    STANDARD.decode_append(payload, &mut content).map_err(|_| malformed())?;
    Ok((*number, Bytes::from(content)))
}

/// What is said of a media type with parameters. Their values may be personal, such as the name of a file.
fn parameter_refused(parameter: &str, media_type: &str) -> String {
    let name = parameter.split(['=', ';']).next().unwrap_or_default().trim();
    let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let which = if is_token && name.len() <= 64 { format!(" '{name}'") } else { String::new() };
    format!("The parameter{which} of the media type is not supported. Expected data:{media_type};base64,…")
}

/// Writes `data:<media type>;base64,<payload>`.
pub fn write_data_uri<E: JsonEnum>(media_type: i32, content: &[u8], out: &mut super::write::Writer) {
    let name = E::name_of(media_type).unwrap_or_default();
    out.text(&format!("data:{name};base64,{}", STANDARD.encode_to_string(content)));
}
