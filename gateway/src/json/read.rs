//! Reading a body: the state that all its values share.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::object::Union;
use crate::alone::Alone;
use crate::problem::{Path, Problems, Step};

/// How deep a body may nest (decisions, section 2).
pub const MAX_DEPTH: u32 = 128;

/// How many values a body may have in all. An element of three bytes may become a message of hundreds, so that the size
/// of a body says little about the memory that it takes.
pub const MAX_VALUES: u32 = 100_000;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How many unknown keys are listed.
const MAX_UNKNOWN: usize = 1_000;

/// What was read from a body.
#[derive(Debug, Default)]
pub struct Body<T> {
    /// The message; a field with a problem has its default.
    pub message: T,
    /// Everything wrong with the body.
    pub problems: Problems,
    /// The keys that the schema does not know.
    pub unknown: Vec<Path>,
    /// What is wrong with the elements of a list that are judged alone.
    pub alone: Alone,
}

/// Something that can be read from JSON: a type, or a marker for one.
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
    read_with::<T>(body, None)
}

/// As [`read`], of an object whose kind is known already: its discriminator need not be given, and cannot be another.
#[must_use]
pub fn read_as<T: Union + FromJson<Value = T>>(body: &[u8], tag: &'static str) -> Body<T> {
    read_with::<T>(body, Some(tag))
}

fn read_with<T: FromJson>(body: &[u8], known: Option<&'static str>) -> Body<T::Value> {
    // A byte order mark says nothing in UTF-8, and some Windows programs write one.
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let (line, column) = position(&body[..error.valid_up_to()]);
            return invalid(format!("Body is not valid UTF-8 at line {line} column {column}"));
        }
    };
    let reader = Reader::new(text, known);
    let mut json = serde_json::Deserializer::from_str(text);
    // The reader counts depth itself; its limit is what keeps the stack small.
    json.disable_recursion_limit();
    match T::from_json(&mut json, &reader).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => {
            let state = reader.state.into_inner();
            let State { problems, unknown, alone, .. } = state;
            Body { message: value.unwrap_or_default(), problems, unknown, alone }
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
    known_tag: Cell<Option<&'static str>>,
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
    /// Whether the reason names the line and the column.
    placed: bool,
}

#[derive(Debug, Default)]
struct State {
    path: Path,
    problems: Problems,
    unknown: Vec<Path>,
    alone: Alone,
}

impl<'de> Reader<'de> {
    fn new(text: &'de str, known: Option<&'static str>) -> Self {
        Self {
            text,
            known_tag: Cell::new(known),
            depth: Cell::new(0),
            values: Cell::new(0),
            state: RefCell::default(),
            stopped: RefCell::default(),
        }
    }

    /// The kind of the outermost object, where it is known before the body is read.
    pub(super) fn take_known_tag(&self) -> Option<&'static str> {
        self.known_tag.take()
    }

    /// Records a problem at the current place.
    pub fn problem(&self, code: &'static str, message: impl Into<Cow<'static, str>>) {
        self.problem_with(code, || message.into());
    }

    /// Records a problem whose sentence takes work, which is saved where no more problems are listed.
    pub(super) fn problem_with(&self, code: &'static str, message: impl FnOnce() -> Cow<'static, str>) {
        let state = &mut *self.state.borrow_mut();
        state.problems.push_with(|| state.path.clone(), code, message);
    }

    /// Records that the value at the current place is of the type `received`.
    pub fn wrong_type(&self, expected: &str, received: &str) {
        self.problem_with("invalid_type", || format!("Expected {expected}, received {received}").into());
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
        path.0.push(Step::named_by_request(Step::UNKNOWN, name));
        state.unknown.push(path);
    }

    pub(super) fn enter(&self, step: Step) {
        self.state.borrow_mut().path.0.push(step);
    }

    pub(super) fn leave(&self) {
        self.state.borrow_mut().path.0.pop();
    }

    /// Reads an element that is judged alone: its problems are kept apart, with paths that begin at the element.
    pub(super) fn alone<T, E>(&self, index: usize, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let outer = std::mem::take(&mut *self.state.borrow_mut());
        let value = read();
        let state = &mut *self.state.borrow_mut();
        let inner = std::mem::replace(state, outer);
        if let Some(Step::Key { name, .. }) = state.path.0.last() {
            state.alone.name(name.clone());
        }
        state.alone.merge(index, inner.problems);
        let place = state.path.0.iter().cloned().chain([Step::Index(index)]);
        for path in inner.unknown.into_iter().take(MAX_UNKNOWN.saturating_sub(state.unknown.len())) {
            state.unknown.push(Path(place.clone().chain(path.0).collect()));
        }
        value
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

    /// Why reading stopped, with the place, which is that of `error` unless the reason names another.
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
