//! The well-known types of `google.protobuf`, in their JSON of the protobuf documentation. The wrappers and `Empty` are
//! plain Rust types in prost and are read as these.

use std::borrow::Cow;
use std::marker::PhantomData;

use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::value::Kind;
use prost_types::{Duration, FieldMask, ListValue, Struct, Timestamp, Value};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::containers::{Container, Contents};
use super::object::{Members, Object, read_object};
use super::read::{FromJson, Key, Reader};
use super::scalar::{Scalar, ScalarError, Token};
use super::write::{ToJson, Writer};

impl Scalar for Timestamp {
    type Value = Timestamp;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<Timestamp, ScalarError> {
        let Token::Text(text) = token else { return Err(ScalarError::Type) };
        let malformed = || ScalarError::Value("invalid_string", "Must be an RFC 3339 timestamp".into());
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| malformed())?;
        // Only a leap second has more nanoseconds than a second: protobuf has no place for it.
        let nanos = i32::try_from(time.timestamp_subsec_nanos()).ok().filter(|nanos| *nanos < 1_000_000_000);
        Ok(Timestamp { seconds: time.timestamp(), nanos: nanos.ok_or_else(malformed)? })
    }
}

impl ToJson for Timestamp {
    fn write(&self, out: &mut Writer) {
        let nanos = u32::try_from(self.nanos).unwrap_or_default();
        let time = DateTime::<Utc>::from_timestamp(self.seconds, nanos).unwrap_or_default();
        out.text(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
}

impl Scalar for Duration {
    type Value = Duration;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<Duration, ScalarError> {
        let Token::Text(text) = token else { return Err(ScalarError::Type) };
        text.parse()
            .map_err(|_| ScalarError::Value("invalid_string", "Must be a duration in seconds, such as 1.5s".into()))
    }
}

impl ToJson for Duration {
    fn write(&self, out: &mut Writer) {
        out.text(&self.to_string());
    }
}

impl Scalar for FieldMask {
    type Value = FieldMask;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: Token<'_>) -> Result<FieldMask, ScalarError> {
        let Token::Text(text) = token else { return Err(ScalarError::Type) };
        let paths = text.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        Ok(FieldMask { paths })
    }
}

impl ToJson for FieldMask {
    fn write(&self, out: &mut Writer) {
        out.text(&self.paths.join(","));
    }
}

/// `google.protobuf.Empty`: an object without members.
#[derive(Default)]
struct Nothing;

impl Object for Nothing {
    fn read_member<'de, A: MapAccess<'de>>(
        &mut self,
        _: &str,
        _: &mut A,
        _: &mut Members<'_, 'de>,
    ) -> Result<bool, A::Error> {
        Ok(false)
    }
}

impl FromJson for () {
    type Value = ();

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<()>, D::Error> {
        Ok(read_object::<Nothing, D>(json, reader)?.map(|_| ()))
    }
}

impl ToJson for () {
    fn write(&self, out: &mut Writer) {
        out.object(|_| {});
    }
}

impl FromJson for Struct {
    type Value = Struct;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<Struct>, D::Error> {
        json.deserialize_any(Container { reader, expected: "object", kind: PhantomData::<Struct> })
    }
}

impl Contents for Struct {
    fn entries<'de, A: MapAccess<'de>>(entries: A, reader: &Reader<'de>) -> Result<Option<Struct>, A::Error> {
        read_struct(entries, reader).map(Some)
    }
}

impl FromJson for ListValue {
    type Value = ListValue;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<ListValue>, D::Error> {
        json.deserialize_any(Container { reader, expected: "array", kind: PhantomData::<ListValue> })
    }
}

impl Contents for ListValue {
    fn sequence<'de, A: SeqAccess<'de>>(items: A, reader: &Reader<'de>) -> Result<Option<ListValue>, A::Error> {
        read_list(items, reader).map(Some)
    }
}

impl FromJson for Value {
    type Value = Value;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<Value>, D::Error> {
        Free(reader).deserialize(json).map(Some)
    }
}

fn read_struct<'de, A: MapAccess<'de>>(mut entries: A, reader: &Reader<'de>) -> Result<Struct, A::Error> {
    reader.descend()?;
    let mut found = Struct::default();
    while let Some(key) = entries.next_key_seed(Key)? {
        if found.fields.contains_key(key.as_ref()) {
            return Err(reader.duplicate(&key));
        }
        let value = entries.next_value_seed(Free(reader))?;
        found.fields.insert(key.into_owned(), value);
    }
    reader.ascend();
    Ok(found)
}

fn read_list<'de, A: SeqAccess<'de>>(mut items: A, reader: &Reader<'de>) -> Result<ListValue, A::Error> {
    reader.descend()?;
    let mut found = ListValue::default();
    while let Some(value) = items.next_element_seed(Free(reader))? {
        found.values.push(value);
    }
    reader.ascend();
    Ok(found)
}

/// Any value, free of a schema.
struct Free<'r, 'de>(&'r Reader<'de>);

impl<'de> DeserializeSeed<'de> for Free<'_, 'de> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        self.0.count()?;
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Free<'_, 'de> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value { kind: Some(Kind::NullValue(0)) })
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value { kind: Some(Kind::BoolValue(value)) })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value { kind: Some(Kind::NumberValue(value as f64)) })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value { kind: Some(Kind::NumberValue(value as f64)) })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value { kind: Some(Kind::NumberValue(value)) })
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value { kind: Some(Kind::StringValue(value.to_owned())) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value, A::Error> {
        Ok(Value { kind: Some(Kind::ListValue(read_list(items, self.0)?)) })
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Value, A::Error> {
        Ok(Value { kind: Some(Kind::StructValue(read_struct(entries, self.0)?)) })
    }
}

impl ToJson for Struct {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            for (key, value) in &self.fields {
                out.free_key(key);
                value.write(out);
            }
        });
    }
}

impl ToJson for ListValue {
    fn write(&self, out: &mut Writer) {
        out.array(&self.values);
    }
}

impl ToJson for Value {
    fn write(&self, out: &mut Writer) {
        match &self.kind {
            None | Some(Kind::NullValue(_)) => out.null(),
            Some(Kind::BoolValue(value)) => value.write(out),
            Some(Kind::NumberValue(value)) => value.write(out),
            Some(Kind::StringValue(value)) => value.write(out),
            Some(Kind::ListValue(list)) => list.write(out),
            Some(Kind::StructValue(inner)) => inner.write(out),
        }
    }
}
