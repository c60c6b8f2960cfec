//! Reading a body: the state that all its values share, and the values made of other values.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::object::Union;
use crate::problem::{Path, Problems, Step};

/// How deep a body may nest (decisions, section 2).
pub const MAX_DEPTH: u32 = 128;

/// How many values a body may have in all. An element of three bytes may become a message of hundreds, so that the size
/// of a body says little about the memory that it takes.
pub const MAX_VALUES: u32 = 100_000;

/// How many unknown keys are told.
const MAX_UNKNOWN: usize = 1_000;

/// What was read from a body.
#[derive(Debug, Default)]
pub struct Body<T> {
    /// The message; defaults stand where a problem was found.
    pub message: T,
    /// Everything wrong with the body.
    pub problems: Problems,
    /// The keys that the schema does not know.
    pub unknown: Vec<Path>,
}

/// Something that can be read from JSON: a type, or a marker that stands for one.
pub trait FromJson {
    /// What is read.
    type Value: Default;

    /// Reads a value. A value that cannot be taken is recorded as a problem at the reader's place and gives `None`.
    ///
    /// # Errors
    /// The text is no JSON, nests too deep, or names a key twice.
    fn from_json<'de, D: Deserializer<'de>>(json: D, reader: &Reader<'de>) -> Result<Option<Self::Value>, D::Error>;
}

/// Reads a body whole; never fails, but lists what is wrong.
#[must_use]
pub fn read<T: FromJson>(body: &[u8]) -> Body<T::Value> {
    read_told::<T>(body, None)
}

/// As [`read`], of an object whose kind is known already: its discriminator need not be given, and cannot be another.
#[must_use]
pub fn read_as<T: Union + FromJson<Value = T>>(body: &[u8], tag: &'static str) -> Body<T> {
    read_told::<T>(body, Some(tag))
}

fn read_told<T: FromJson>(body: &[u8], told: Option<&'static str>) -> Body<T::Value> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let (line, column) = position(&body[..error.valid_up_to()]);
            return invalid(format!("Body is not valid UTF-8 at line {line} column {column}"));
        }
    };
    let reader = Reader::new(text, told);
    let mut json = serde_json::Deserializer::from_str(text);
    // The reader counts depth itself; its limit is what keeps the stack small.
    json.disable_recursion_limit();
    match T::from_json(&mut json, &reader).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => {
            let state = reader.state.into_inner();
            Body { message: value.unwrap_or_default(), problems: state.problems, unknown: state.unknown }
        }
        Err(error) => invalid(reader.describe(&error)),
    }
}

fn invalid<T: Default>(message: String) -> Body<T> {
    let mut body = Body::default();
    body.problems.push(Path::default(), "invalid_json", message);
    body
}

/// Line and column of the end of `text`, counted from one, columns in bytes as serde_json counts them.
fn position(text: &[u8]) -> (usize, usize) {
    let line = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = text.iter().rev().take_while(|byte| **byte != b'\n').count();
    (line, column)
}

/// The state of reading one body.
#[derive(Debug)]
pub struct Reader<'de> {
    text: &'de str,
    told: Cell<Option<&'static str>>,
    depth: Cell<u32>,
    values: Cell<u32>,
    state: RefCell<State>,
    /// Why reading stopped, where the reader stopped it.
    stopped: RefCell<Option<Stop>>,
}

/// Why reading stopped.
#[derive(Debug)]
struct Stop {
    reason: String,
    /// Whether the reason tells the line and the column.
    placed: bool,
}

#[derive(Debug, Default)]
struct State {
    path: Path,
    problems: Problems,
    unknown: Vec<Path>,
}

impl<'de> Reader<'de> {
    fn new(text: &'de str, told: Option<&'static str>) -> Self {
        Self {
            text,
            told: Cell::new(told),
            depth: Cell::new(0),
            values: Cell::new(0),
            state: RefCell::default(),
            stopped: RefCell::default(),
        }
    }

    /// The kind of the outermost object, where it is known before the body is read.
    pub(super) fn take_told(&self) -> Option<&'static str> {
        self.told.take()
    }

    /// Records a problem at the current place.
    pub fn problem(&self, code: &'static str, message: impl Into<Cow<'static, str>>) {
        let state = &mut *self.state.borrow_mut();
        state.problems.push(state.path.clone(), code, message);
    }

    /// Records that the value at the current place is of the type `received`.
    pub fn wrong_type(&self, expected: &str, received: &str) {
        self.problem("invalid_type", format!("Expected {expected}, received {received}"));
    }

    /// Forgets all problems and unknown keys so far: an object of unknown kind says nothing about its keys.
    pub(super) fn forget(&self) {
        let state = &mut *self.state.borrow_mut();
        state.problems = Problems::default();
        state.unknown.clear();
    }

    /// Notes a key that the schema does not know.
    pub(super) fn unknown(&self, name: &str) {
        let state = &mut *self.state.borrow_mut();
        if state.unknown.len() >= MAX_UNKNOWN {
            return;
        }
        let mut path = state.path.clone();
        path.0.push(Step::Key { slot: Step::UNKNOWN, name: Cow::Owned(name.to_owned()) });
        state.unknown.push(path);
    }

    pub(super) fn enter(&self, step: Step) {
        self.state.borrow_mut().path.0.push(step);
    }

    pub(super) fn leave(&self) {
        self.state.borrow_mut().path.0.pop();
    }

    /// Goes one level deeper.
    pub(super) fn descend<E: Error>(&self) -> Result<(), E> {
        let depth = self.depth.get() + 1;
        self.depth.set(depth);
        if depth > MAX_DEPTH {
            return Err(self.stop(format!("JSON nests deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    pub(super) fn ascend(&self) {
        self.depth.set(self.depth.get() - 1);
    }

    /// Counts a value.
    pub(super) fn count<E: Error>(&self) -> Result<(), E> {
        let values = self.values.get() + 1;
        self.values.set(values);
        if values > MAX_VALUES {
            return Err(self.stop(format!("JSON has more than {MAX_VALUES} values")));
        }
        Ok(())
    }

    /// Stops the reading because an object names a key twice.
    pub(super) fn duplicate<E: Error>(&self, key: &str) -> E {
        let shown: String = key.chars().take(64).collect();
        self.stop(format!("Duplicate key '{shown}'"))
    }

    fn stop<E: Error>(&self, reason: String) -> E {
        *self.stopped.borrow_mut() = Some(Stop { reason, placed: false });
        E::custom("stopped")
    }

    /// Carries an error of a slice of the body, which was read apart, to the whole body.
    pub(super) fn stop_within<E: Error>(&self, slice: &str, error: &serde_json::Error) -> E {
        let offset = (slice.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let (line, column) = position(&self.text.as_bytes()[..offset]);
        let line_in_slice = error.line();
        let column = if line_in_slice <= 1 { column + error.column() } else { error.column() };
        let line = line + line_in_slice.saturating_sub(1);
        let stop = self.stop_at(error, line, column);
        *self.stopped.borrow_mut() = Some(stop);
        E::custom("stopped")
    }

    /// Why reading stopped, with the place, which is that of `error` unless the reason tells another.
    fn stop_at(&self, error: &serde_json::Error, line: usize, column: usize) -> Stop {
        let reason = match self.stopped.borrow_mut().take() {
            Some(stop) if stop.placed => return stop,
            Some(stop) => stop.reason,
            None => Self::reason(error),
        };
        Stop { reason: format!("{reason} at line {line} column {column}"), placed: true }
    }

    fn reason(error: &serde_json::Error) -> String {
        if error.is_eof() {
            return "Unexpected end of JSON".to_owned();
        }
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        format!("Malformed JSON: {reason}")
    }

    fn describe(&self, error: &serde_json::Error) -> String {
        self.stop_at(error, error.line(), error.column()).reason
    }
}

/// Reads a value of `T` where serde wants a seed.
pub(super) struct Seed<'r, 'de, T> {
    reader: &'r Reader<'de>,
    value: PhantomData<T>,
}

impl<'r, 'de, T> Seed<'r, 'de, T> {
    pub(super) fn new(reader: &'r Reader<'de>) -> Self {
        Self { reader, value: PhantomData }
    }
}

impl<'de, T: FromJson> DeserializeSeed<'de> for Seed<'_, 'de, T> {
    type Value = Option<T::Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        self.reader.count()?;
        T::from_json(json, self.reader)
    }
}

/// A key, borrowed from the body where it has no escapes.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Passes over a value, holding it to the same rules as every other: depth, keys named once, well-formed texts.
pub(super) struct Skip<'r, 'de>(pub(super) &'r Reader<'de>);

impl<'de> DeserializeSeed<'de> for Skip<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        self.0.count()?;
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.descend()?;
        while items.next_element_seed(Skip(self.0))?.is_some() {}
        self.0.ascend();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.descend()?;
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if seen.contains(&key) {
                return Err(self.0.duplicate(&key));
            }
            seen.insert(key);
            entries.next_value_seed(Skip(self.0))?;
        }
        self.0.ascend();
        Ok(())
    }
}

/// An array of `T`. An element that cannot be taken leaves a default, so that the others keep their indices.
#[derive(Debug)]
pub struct List<T>(PhantomData<T>);

impl<T: FromJson> FromJson for List<T> {
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

impl<T: FromJson> Contents for Map<T> {
    fn entries<'de, A: MapAccess<'de>>(mut entries: A, reader: &Reader<'de>) -> Result<Option<Self::Value>, A::Error> {
        reader.descend()?;
        let mut map = BTreeMap::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if map.contains_key(key.as_ref()) {
                return Err(reader.duplicate(&key));
            }
            reader.enter(Step::Key { slot: 0, name: Cow::Owned(key.as_ref().to_owned()) });
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
