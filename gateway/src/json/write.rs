//! Messages to JSON.

use std::collections::BTreeMap;

use base64_simd::STANDARD;
use bytes::Bytes;

use super::scalar::JsonEnum;

/// Writes JSON text.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    whole: bool,
}

/// A value that can be written as JSON.
pub trait ToJson {
    /// Writes the value.
    fn write(&self, out: &mut Writer);

    /// Writes the value's members into the object that is being written. Only messages have members.
    fn write_members(&self, _out: &mut Writer) {}
}

/// A value's JSON text.
#[must_use]
pub fn to_vec<T: ToJson + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Writer { out: Vec::with_capacity(1024), whole: false };
    value.write(&mut out);
    out.out
}

/// A value's JSON text with the members that responses leave out because only requests bring them.
#[must_use]
pub fn to_vec_whole<T: ToJson + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Writer { out: Vec::with_capacity(1024), whole: true };
    value.write(&mut out);
    out.out
}

impl Writer {
    /// The text so far.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Whether members that are for requests alone are written too.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Writes an object with the members that `members` writes.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// Writes the key of the next member. `name` is a name of the schema: it has nothing to escape.
    pub fn key(&mut self, name: &'static str) {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// Writes the key of the next member, whatever is in it.
    pub fn free_key(&mut self, name: &str) {
        self.comma();
        self.text(name);
        self.out.push(b':');
    }

    /// Separates a member or element from the one before it. A value never ends in an opening bracket, so that one
    /// shows that there is none before.
    fn comma(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    /// Writes a string.
    pub fn text(&mut self, text: &str) {
        self.serialize(text);
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    /// Writes an array.
    pub fn array<T: ToJson>(&mut self, items: &[T]) {
        self.out.push(b'[');
        for item in items {
            self.comma();
            item.write(self);
        }
        self.out.push(b']');
    }

    /// Writes an object with free keys.
    pub fn map<T: ToJson>(&mut self, entries: &BTreeMap<String, T>) {
        self.object(|out| {
            for (key, value) in entries {
                out.free_key(key);
                value.write(out);
            }
        });
    }

    /// Writes an enum value by its name, or by its number where it has none.
    pub fn enumeration<E: JsonEnum>(&mut self, number: i32) {
        match E::name_of(number) {
            Some(name) => self.text(name),
            None => number.write(self),
        }
    }

    /// Writes an array of enum values.
    pub fn enumerations<E: JsonEnum>(&mut self, numbers: &[i32]) {
        self.out.push(b'[');
        for number in numbers {
            self.comma();
            self.enumeration::<E>(*number);
        }
        self.out.push(b']');
    }

    fn serialize<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        // Writing strings, numbers and booleans to memory cannot fail.
        serde_json::to_writer(&mut self.out, value).expect("a scalar is written to memory");
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl ToJson for $type {
            fn write(&self, out: &mut Writer) {
                out.serialize(self);
            }
        }
    )*};
}

plain!(bool, i32, u32, String, str);

/// Integers of 64 bits are texts, as in all protobuf JSON: a JSON number loses them in many languages.
macro_rules! wide {
    ($($type:ty),*) => {$(
        impl ToJson for $type {
            fn write(&self, out: &mut Writer) {
                out.text(&self.to_string());
            }
        }
    )*};
}

wide!(i64, u64);

/// A number without a fraction is written without one: `60`, not `60.0`.
macro_rules! float {
    ($($type:ty),*) => {$(
        impl ToJson for $type {
            fn write(&self, out: &mut Writer) {
                // Protobuf JSON has words for what JSON has no numbers for.
                if !self.is_finite() {
                    out.text(if self.is_nan() { "NaN" } else if *self > 0.0 { "Infinity" } else { "-Infinity" });
                // Below 2^53 every integer has a 64-bit float of its own.
                } else if self.fract() == 0.0 && self.abs() < 9_007_199_254_740_992.0 {
                    out.serialize(&(*self as i64));
                } else {
                    out.serialize(self);
                }
            }
        }
    )*};
}

float!(f32, f64);

impl ToJson for Bytes {
    fn write(&self, out: &mut Writer) {
        out.text(&STANDARD.encode_to_string(self));
    }
}

impl ToJson for Vec<u8> {
    fn write(&self, out: &mut Writer) {
        out.text(&STANDARD.encode_to_string(self));
    }
}

impl<T: ToJson + ?Sized> ToJson for Box<T> {
    fn write(&self, out: &mut Writer) {
        (**self).write(out);
    }

    fn write_members(&self, out: &mut Writer) {
        (**self).write_members(out);
    }
}
