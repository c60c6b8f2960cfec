//! Fields from texts: path variables, query parameters, headers.

use std::borrow::Cow;

use crate::check::is_uuid;
use crate::json::Scalar;
use crate::problem::{Path, Problems, Step};

/// A message whose fields can be set from texts. The generator implements it.
pub trait SetField {
    /// Sets the field at `path` (dot-joined JSON names), or adds to it where it is repeated. A value of the wrong form
    /// is a problem. False where there is no such field.
    fn set_field(&mut self, path: &str, value: &str, problems: &mut Problems) -> bool;
}

impl<T: SetField> SetField for Box<T> {
    fn set_field(&mut self, path: &str, value: &str, problems: &mut Problems) -> bool {
        (**self).set_field(path, value, problems)
    }
}

/// Whether two texts are the same value: letter for letter, or as UUIDs, whose digits have no case.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one == other || is_uuid(one) && one.eq_ignore_ascii_case(other)
}

/// Takes the text of one field; a text that will not do is a problem at the field.
pub fn scalar<T: Scalar>(slot: u32, name: &'static str, text: &str, problems: &mut Problems) -> Option<T::Value> {
    match T::from_text(text) {
        Ok(value) => Some(value),
        Err(refusal) => {
            let (code, sentence) = refusal.describe::<T>("string");
            problems.push_with(|| Path::key(slot, name), code, sentence);
            None
        }
    }
}

/// Whether a member of a oneof is the only one. `given` is the one that has been set before; another one is a problem at
/// this one.
pub fn is_alone(slot: u32, name: &'static str, given: Option<&'static str>, problems: &mut Problems) -> bool {
    match given.filter(|other| *other != name) {
        None => true,
        Some(other) => {
            problems.push(Path::key(slot, name), "custom", format!("Must not be given together with '{other}'"));
            false
        }
    }
}

/// Sets a field of the message at `name`; its problems lie below that place.
pub fn nested(
    slot: u32,
    name: &'static str,
    message: &mut impl SetField,
    path: &str,
    value: &str,
    problems: &mut Problems,
) -> bool {
    let mut below = Problems::default();
    let known = message.set_field(path, value, &mut below);
    for mut problem in below.into_sorted() {
        problem.path.0.insert(0, Step::Key { slot, name: Cow::Borrowed(name) });
        problems.push(problem.path, problem.code, problem.message);
    }
    known
}
