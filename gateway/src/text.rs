//! Fields from texts: path variables, query parameters, headers.

use std::borrow::Cow;

use crate::json::{Refusal, Scalar};
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

/// Takes the text of one field; a text that will not do is a problem at the field.
pub fn scalar<T: Scalar>(slot: u32, name: &'static str, text: &str, problems: &mut Problems) -> Option<T::Value> {
    match T::from_text(text) {
        Ok(value) => return Some(value),
        Err(Refusal::Type) => {
            let message = format!("Expected {}, received string", T::expected());
            problems.push(Path::key(slot, name), "invalid_type", message);
        }
        Err(Refusal::Value(code, message)) => problems.push(Path::key(slot, name), code, message),
    }
    None
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
