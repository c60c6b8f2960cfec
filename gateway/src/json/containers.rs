//! The values made of other values: arrays, and objects with free keys.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::read::{FromJson, Key, Reader, Seed, Skip};
use crate::problem::Step;

/// An array of `T`. An element that cannot be taken leaves a default, so that the others keep their indices.
#[derive(Debug)]
pub struct List<T>(PhantomData<T>);

impl<T: FromJson> FromJson for List<T> {
    type Value = Vec<T::Value>;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<Self::Value>, D::Error> {
        json.deserialize_any(Container { reader, expected: "array", kind: PhantomData::<Self> })
    }
}

/// As [`List`], of elements that are judged alone.
#[derive(Debug)]
pub struct AloneList<T>(PhantomData<T>);

impl<T: FromJson> FromJson for AloneList<T> {
    type Value = Vec<T::Value>;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<Self::Value>, D::Error> {
        json.deserialize_any(Container { reader, expected: "array", kind: PhantomData::<Self> })
    }
}

/// An object whose keys are free and whose values are of `T`.
#[derive(Debug)]
pub struct Map<T>(PhantomData<T>);

impl<T: FromJson> FromJson for Map<T> {
    type Value = BTreeMap<String, T::Value>;

    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<Self::Value>, D::Error> {
        json.deserialize_any(Container { reader, expected: "object", kind: PhantomData::<Self> })
    }
}

/// Takes arrays or objects, and says so to everything else.
pub(super) struct Container<'r, 'de, K> {
    pub(super) reader: &'r Reader<'de>,
    pub(super) expected: &'static str,
    pub(super) kind: PhantomData<K>,
}

/// What a [`Container`] does with what it takes.
pub(super) trait Contents: FromJson {
    fn sequence<'de, A: SeqAccess<'de>>(items: A, reader: &Reader<'de>) -> Result<Option<Self::Value>, A::Error> {
        Skip(reader).visit_seq(items)?;
        reader.wrong_type("object", "array");
        Ok(None)
    }

    fn entries<'de, A: MapAccess<'de>>(entries: A, reader: &Reader<'de>) -> Result<Option<Self::Value>, A::Error> {
        Skip(reader).visit_map(entries)?;
        reader.wrong_type("array", "object");
        Ok(None)
    }
}

impl<T: FromJson> Contents for List<T> {
    fn sequence<'de, A: SeqAccess<'de>>(mut items: A, reader: &Reader<'de>) -> Result<Option<Self::Value>, A::Error> {
        reader.descend()?;
        let mut list = Vec::new();
        loop {
            reader.enter(Step::Index(list.len()));
            let Some(item) = items.next_element_seed(Seed::<T>::new(reader))? else { break };
            reader.leave();
            list.push(item.unwrap_or_default());
        }
        reader.leave();
        reader.ascend();
        Ok(Some(list))
    }
}

impl<T: FromJson> Contents for AloneList<T> {
    fn sequence<'de, A: SeqAccess<'de>>(mut items: A, reader: &Reader<'de>) -> Result<Option<Self::Value>, A::Error> {
        reader.descend()?;
        let mut list = Vec::new();
        while let Some(item) = reader.alone(list.len(), || items.next_element_seed(Seed::<T>::new(reader)))? {
            list.push(item.unwrap_or_default());
        }
        reader.ascend();
        Ok(Some(list))
    }
}

impl<T: FromJson> Contents for Map<T> {
    fn entries<'de, A: MapAccess<'de>>(mut entries: A, reader: &Reader<'de>) -> Result<Option<Self::Value>, A::Error> {
        reader.descend()?;
        let mut map = BTreeMap::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if map.contains_key(key.as_ref()) {
                return Err(reader.duplicate(&key));
            }
            reader.enter(Step::named_by_request(0, &key));
            let value = entries.next_value_seed(Seed::<T>::new(reader))?;
            reader.leave();
            map.insert(key.into_owned(), value.unwrap_or_default());
        }
        reader.ascend();
        Ok(Some(map))
    }
}

impl<K: Contents> Container<'_, '_, K> {
    fn refuse<E>(self, received: &str) -> Result<Option<K::Value>, E> {
        self.reader.wrong_type(self.expected, received);
        Ok(None)
    }
}

impl<'de, K: Contents> Visitor<'de> for Container<'_, 'de, K> {
    type Value = Option<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        self.refuse("null")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        self.refuse("boolean")
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        self.refuse("number")
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        self.refuse("number")
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        self.refuse("number")
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        self.refuse("string")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        K::sequence(items, self.reader)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        K::entries(entries, self.reader)
    }
}
