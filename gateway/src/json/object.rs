//! Objects: messages, and messages whose kind a key names.

use std::borrow::Cow;
use std::collections::HashSet;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess};
use serde_json::value::RawValue;

use super::containers::{Container, Contents};
use super::read::{FromJson, Key, Reader, Seed, Skip};
use super::scalar::expected_values;
use crate::problem::Step;

/// A message whose members can be read one by one. The generator implements it.
pub trait Object: Default {
    /// Reads the member `key` from `entries`; false, and nothing read, where there is no such member.
    ///
    /// # Errors
    /// The text is no JSON, nests too deep, or names a key twice.
    fn read_member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        entries: &mut A,
        members: &mut Members<'_, 'de>,
    ) -> Result<bool, A::Error>;
}

/// An object whose discriminator decides which members it has. The generator implements it.
pub trait Union: Object {
    /// The key that names the kind.
    const DISCRIMINATOR: &'static str;
    /// The discriminator's place in the schema's order.
    const SLOT: u32;
    /// The kinds.
    const TAGS: &'static [&'static str];

    /// Makes it an empty one of the kind `tag`; false where there is no such kind.
    fn choose(&mut self, tag: &str) -> bool;
}

/// Words of the marks of one object's members. The generator refuses objects with more members than bits here.
const WORDS: usize = 4;

/// The members of one object that have been read so far.
#[derive(Debug)]
pub struct Members<'r, 'de> {
    reader: &'r Reader<'de>,
    seen: [u64; WORDS],
    unknown: HashSet<Cow<'de, str>>,
    /// Added to every slot: the place of a flattened kind within its object.
    pub base: u32,
}

impl<'r, 'de> Members<'r, 'de> {
    fn new(reader: &'r Reader<'de>) -> Self {
        Self { reader, seen: [0; WORDS], unknown: HashSet::new(), base: 0 }
    }

    /// Reads the value of a known member.
    ///
    /// # Errors
    /// The text is no JSON, nests too deep, or names a key twice.
    pub fn value<T: FromJson, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        slot: u32,
        name: &'static str,
    ) -> Result<Option<T::Value>, A::Error> {
        self.spelled::<T, A>(entries, (slot, name), (slot, name))
    }

    /// Reads the value of the member `(slot, name)`, which the body calls by the name of a mark.
    fn spelled<T: FromJson, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        (slot, name): (u32, &'static str),
        (mark, spelling): (u32, &'static str),
    ) -> Result<Option<T::Value>, A::Error> {
        if self.mark(self.base + mark) {
            return Err(self.reader.duplicate(spelling));
        }
        self.reader.enter(Step::Key { slot: self.base + slot, name: Cow::Borrowed(name) });
        let value = entries.next_value_seed(Seed::<T>::new(self.reader))?;
        self.reader.leave();
        Ok(value)
    }

    /// As [`Members::value`], of a member that has several names, of which `spelling` is this one: giving two is a
    /// problem. All problems are reported under the member's first name.
    ///
    /// # Errors
    /// The text is no JSON, nests too deep, or names a key twice.
    pub fn alias<T: FromJson, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        (slot, name): (u32, &'static str),
        (mark, spelling): (u32, &'static str),
        others: &[(u32, &'static str)],
    ) -> Result<Option<T::Value>, A::Error> {
        let value = self.spelled::<T, A>(entries, (slot, name), (mark, spelling))?;
        for (other, other_name) in others {
            if self.is_marked(self.base + other) {
                let second = if *other_name == name { spelling } else { other_name };
                self.together((slot, name), second);
                return Ok(None);
            }
        }
        Ok(value)
    }

    fn together(&self, (slot, name): (u32, &'static str), other: &str) {
        self.reader.enter(Step::Key { slot: self.base + slot, name: Cow::Borrowed(name) });
        self.reader.problem("custom", format!("Must not be given together with '{other}'"));
        self.reader.leave();
    }

    /// As [`Members::value`], of a member that excludes others: giving two is a problem.
    ///
    /// # Errors
    /// The text is no JSON, nests too deep, or names a key twice.
    pub fn exclusive<T: FromJson, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        slot: u32,
        name: &'static str,
        others: &[(u32, &'static str)],
    ) -> Result<Option<T::Value>, A::Error> {
        let value = self.value::<T, A>(entries, slot, name)?;
        for (other, other_name) in others {
            if self.is_marked(self.base + other) {
                self.together((slot, name), other_name);
                return Ok(None);
            }
        }
        Ok(value)
    }

    /// Sets the mark of a slot and returns whether it was set.
    fn mark(&mut self, slot: u32) -> bool {
        let was = self.is_marked(slot);
        if let Some(word) = self.seen.get_mut(slot as usize / 64) {
            *word |= 1 << (slot % 64);
        }
        was
    }

    fn is_marked(&self, slot: u32) -> bool {
        self.seen.get(slot as usize / 64).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    fn unknown<A: MapAccess<'de>>(&mut self, key: Cow<'de, str>, entries: &mut A) -> Result<(), A::Error> {
        if self.unknown.contains(&key) {
            return Err(self.reader.duplicate(&key));
        }
        self.reader.unknown(&key);
        self.unknown.insert(key);
        entries.next_value_seed(Skip(self.reader))
    }
}

/// Reads an object into a message.
///
/// # Errors
/// The text is no JSON, nests too deep, or names a key twice.
pub fn read_object<'de, T, D>(json: D, reader: &Reader<'de>) -> Result<Option<T>, D::Error>
where
    T: Object,
    D: Deserializer<'de>,
{
    json.deserialize_any(Container { reader, expected: "object", kind: PhantomData::<Plain<T>> })
}

/// Reads an object into a message whose kind the discriminator names.
///
/// # Errors
/// The text is no JSON, nests too deep, or names a key twice.
pub fn read_union<'de, T, D>(json: D, reader: &Reader<'de>) -> Result<Option<T>, D::Error>
where
    T: Union,
    D: Deserializer<'de>,
{
    json.deserialize_any(Container { reader, expected: "object", kind: PhantomData::<Tagged<T>> })
}

/// Marker: the members of `T` in any order.
struct Plain<T>(PhantomData<T>);

impl<T: Object> FromJson for Plain<T> {
    type Value = T;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<T>, D::Error> {
        read_object(json, reader)
    }
}

impl<T: Object> Contents for Plain<T> {
    fn entries<'de, A: MapAccess<'de>>(mut entries: A, reader: &Reader<'de>) -> Result<Option<T>, A::Error> {
        reader.descend()?;
        let mut object = T::default();
        let mut members = Members::new(reader);
        while let Some(key) = entries.next_key_seed(Key)? {
            if !object.read_member(&key, &mut entries, &mut members)? {
                members.unknown(key, &mut entries)?;
            }
        }
        reader.ascend();
        Ok(Some(object))
    }
}

/// Marker: the members of `T` once the discriminator is known.
struct Tagged<T>(PhantomData<T>);

impl<T: Union> FromJson for Tagged<T> {
    type Value = T;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<T>, D::Error> {
        read_union(json, reader)
    }
}

impl<T: Union> Contents for Tagged<T> {
    /// Clients that write the discriminator first, as most do, are read in one go. What comes before it is kept as
    /// slices of the body and read when the kind is known.
    fn entries<'de, A: MapAccess<'de>>(mut entries: A, reader: &Reader<'de>) -> Result<Option<T>, A::Error> {
        reader.descend()?;
        let mut object = T::default();
        let mut members = Members::new(reader);
        let mut before: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        let mut seen: HashSet<Cow<'de, str>> = HashSet::new();
        let known_tag = reader.take_known_tag();
        let mut known = known_tag.is_some_and(|tag| object.choose(tag));
        while let Some(key) = entries.next_key_seed(Key)? {
            if !known && !seen.insert(key.clone()) {
                return Err(reader.duplicate(&key));
            }
            if key == T::DISCRIMINATOR {
                let tag = members.value::<Tag, A>(&mut entries, T::SLOT, T::DISCRIMINATOR)?.unwrap_or_default();
                known = known_tag.map_or_else(|| object.choose(&tag), |known_tag| known_tag == tag);
                if !known {
                    break;
                }
                for (key, value) in before.drain(..) {
                    read_kept(&mut object, &mut members, key, value, reader)?;
                }
            } else if !known {
                reader.count()?;
                let value = entries.next_value::<&'de RawValue>()?;
                before.push((key, value));
            } else if !object.read_member(&key, &mut entries, &mut members)? {
                members.unknown(key, &mut entries)?;
            }
        }
        if !known {
            // Nothing can be said about the other keys, but all of them must be JSON as any other.
            for (_, value) in before {
                let skipped = Entry(value.get()).next_value_seed(Skip(reader));
                skipped.map_err(|error| reader.stop_within(value.get(), &error))?;
            }
            while let Some(key) = entries.next_key_seed(Key)? {
                if seen.contains(&key) {
                    return Err(reader.duplicate(&key));
                }
                seen.insert(key);
                entries.next_value_seed(Skip(reader))?;
            }
            reader.forget();
            let expected = match &known_tag {
                Some(known_tag) => expected_values([*known_tag]),
                None => expected_values(T::TAGS.iter().copied()),
            };
            reader.enter(Step::Key { slot: T::SLOT, name: Cow::Borrowed(T::DISCRIMINATOR) });
            reader.problem("invalid_union_discriminator", format!("Invalid discriminator value. Expected {expected}"));
            reader.leave();
        }
        reader.ascend();
        Ok(known.then_some(object))
    }
}

fn read_kept<'de, T: Union, E: Error>(
    object: &mut T,
    members: &mut Members<'_, 'de>,
    key: Cow<'de, str>,
    value: &'de RawValue,
    reader: &Reader<'de>,
) -> Result<(), E> {
    let mut entry = Entry(value.get());
    let read = match object.read_member(&key, &mut entry, members) {
        Ok(true) => Ok(()),
        Ok(false) => members.unknown(key, &mut entry),
        Err(error) => Err(error),
    };
    read.map_err(|error| reader.stop_within(value.get(), &error))
}

/// One value kept as a slice of the body, as the rest of a map that serde can read.
struct Entry<'de>(&'de str);

impl<'de> MapAccess<'de> for Entry<'de> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, Self::Error> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Self::Error> {
        let mut json = serde_json::Deserializer::from_str(self.0);
        json.disable_recursion_limit();
        seed.deserialize(&mut json)
    }
}

/// The discriminator's value: a text; anything else is as good as an unknown one.
struct Tag;

impl super::scalar::Scalar for Tag {
    type Value = String;

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("string")
    }

    fn read(token: super::scalar::Token<'_>) -> Result<String, super::scalar::ScalarError> {
        match token {
            super::scalar::Token::Text(text) => Ok(text.to_owned()),
            _ => Err(super::scalar::ScalarError::Type),
        }
    }
}
