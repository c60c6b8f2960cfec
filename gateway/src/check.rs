//! The rules of the contract, the same over both doors.
//!
//! The generator turns every `buf.validate` rule into a call here, in the words of Zod 3 (decisions, section 2).

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use crate::json::{JsonEnum, expected_values};
use crate::problem::{Path, Problems, Step};

/// A request whose rules can be checked. The generator implements it.
pub trait Check {
    /// Records every broken rule.
    fn check(&self, cx: &mut Checker);

    /// Forgets what only the service may set.
    fn clear_output_only(&mut self);

    /// Forgets texts that are empty: they count as not given.
    fn drop_empty(&mut self);
}

impl<T: Check> Check for Box<T> {
    fn check(&self, cx: &mut Checker) {
        (**self).check(cx);
    }

    fn clear_output_only(&mut self) {
        (**self).clear_output_only();
    }

    fn drop_empty(&mut self) {
        (**self).drop_empty();
    }
}

/// Collects the broken rules of one request.
#[derive(Debug)]
pub struct Checker {
    now: DateTime<Utc>,
    path: Path,
    /// Added to every slot: the place of a flattened kind within its object.
    base: u32,
    problems: Problems,
}

/// Makes a request ready for its service: what is not the caller's to set is cleared, every rule is checked, empty texts
/// are dropped. `now` is the time of the request.
///
/// # Errors
/// All problems: those already `found` and the broken rules.
pub fn accept<T: Check>(message: &mut T, now: DateTime<Utc>, mut found: Problems) -> Result<(), Problems> {
    message.clear_output_only();
    found.merge(broken_rules(message, now));
    if !found.is_empty() {
        return Err(found);
    }
    message.drop_empty();
    Ok(())
}

/// The broken rules of a message. `now` is the time of the request.
#[must_use]
pub fn broken_rules<T: Check>(message: &T, now: DateTime<Utc>) -> Problems {
    let mut cx = Checker { now, path: Path::default(), base: 0, problems: Problems::default() };
    message.check(&mut cx);
    cx.problems
}

impl Checker {
    /// The time of the request.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Goes to a member of the current object.
    pub fn enter(&mut self, slot: u32, name: &'static str) {
        self.path.0.push(Step::Key { slot: self.base + slot, name: Cow::Borrowed(name) });
    }

    /// Goes to a header.
    pub fn enter_header(&mut self, name: &'static str) {
        self.path.0.push(Step::Header(name));
    }

    /// Goes to a member of the current object that is named by the request.
    pub fn enter_free(&mut self, name: &str) {
        self.path.0.push(Step::Key { slot: 0, name: Cow::Owned(name.to_owned()) });
    }

    /// Goes to an element of the current array.
    pub fn enter_index(&mut self, index: usize) {
        self.path.0.push(Step::Index(index));
    }

    /// Goes back to the enclosing object or array.
    pub fn leave(&mut self) {
        self.path.0.pop();
    }

    /// Checks a message that stands at the current place.
    pub fn message(&mut self, message: &impl Check) {
        let base = std::mem::take(&mut self.base);
        message.check(self);
        self.base = base;
    }

    /// Checks a message whose members stand in the current object, from the place `slot` on.
    pub fn flattened(&mut self, slot: u32, message: &impl Check) {
        self.base += slot;
        message.check(self);
        self.base -= slot;
    }

    /// Records a problem at the current place.
    pub fn problem(&mut self, code: &'static str, message: impl Into<Cow<'static, str>>) {
        self.problems.push(self.path.clone(), code, message);
    }

    /// Records that the value at the current place is not there.
    pub fn required(&mut self) {
        self.problem("invalid_type", "Required");
    }

    /// Checks a text: no NUL characters, and its length in characters.
    pub fn text(&mut self, text: &str, min: usize, max: usize) {
        if text.as_bytes().contains(&0) {
            self.problem("custom", "Must not contain NUL characters");
        }
        // A character takes at least one byte, so that most texts need no counting.
        if text.len() < min || (min > 1 && text.chars().count() < min) {
            self.problem("too_small", format!("String must contain at least {min} character(s)"));
        } else if text.len() > max && text.chars().count() > max {
            self.problem("too_big", format!("String must contain at most {max} character(s)"));
        }
    }

    /// Checks that a text is a UUID in its usual form, with hyphens.
    pub fn uuid(&mut self, text: &str, message: &'static str) {
        if !is_uuid(text) {
            self.problem("invalid_string", message);
        }
    }

    /// Checks the length of binary content, in bytes.
    pub fn bytes(&mut self, content: &[u8], min: usize, max: usize) {
        if content.len() < min {
            self.problem("too_small", format!("Must contain at least {min} byte(s)"));
        } else if content.len() > max {
            self.problem("too_big", format!("Must contain at most {max} byte(s)"));
        }
    }

    /// Checks the number of elements of an array.
    pub fn items(&mut self, count: usize, min: usize, max: usize) {
        if count < min {
            self.problem("too_small", format!("Array must contain at least {min} element(s)"));
        } else if count > max {
            self.problem("too_big", format!("Array must contain at most {max} element(s)"));
        }
    }

    /// Checks that a number is at least (or, with `exclusive`, more than) `limit`. Not-a-number is neither.
    pub fn at_least(&mut self, number: f64, limit: f64, exclusive: bool) {
        let broken = if exclusive { number <= limit } else { number < limit };
        if broken || number.is_nan() {
            let or_equal = if exclusive { "" } else { " or equal to" };
            self.problem("too_small", format!("Number must be greater than{or_equal} {limit}"));
        }
    }

    /// Checks that a number is at most (or, with `exclusive`, less than) `limit`. Not-a-number is neither.
    pub fn at_most(&mut self, number: f64, limit: f64, exclusive: bool) {
        let broken = if exclusive { number >= limit } else { number > limit };
        if broken || number.is_nan() {
            let or_equal = if exclusive { "" } else { " or equal to" };
            self.problem("too_big", format!("Number must be less than{or_equal} {limit}"));
        }
    }

    /// Checks that a number is one.
    pub fn finite(&mut self, number: f64) {
        if !number.is_finite() {
            self.problem("custom", "Number must be finite");
        }
    }

    /// Checks that a value is one of its list; the unspecified one counts as not given.
    pub fn enumeration<E: JsonEnum>(&mut self, number: i32) {
        if number != 0 && E::name_of(number).is_none() {
            let expected = expected_values(E::VALUES.iter().map(|(_, name)| *name));
            let message = format!("Invalid enum value. Expected {expected}, received '{number}'");
            self.problem("invalid_enum_value", message);
        }
    }

    /// Records that the kind of the current object is not told.
    pub fn no_kind(&mut self, slot: u32, discriminator: &'static str, tags: &'static [&'static str]) {
        self.enter(slot, discriminator);
        let expected = expected_values(tags.iter().copied());
        self.problem("invalid_union_discriminator", format!("Invalid discriminator value. Expected {expected}"));
        self.leave();
    }

    /// Checks the texts of a free structure.
    pub fn structure(&mut self, value: &Struct) {
        for (key, value) in &value.fields {
            self.enter_free(key);
            self.text(key, 0, usize::MAX);
            self.value(value);
            self.leave();
        }
    }

    /// Checks the texts of a free list.
    pub fn list(&mut self, list: &ListValue) {
        for (index, value) in list.values.iter().enumerate() {
            self.enter_index(index);
            self.value(value);
            self.leave();
        }
    }

    /// Checks the texts of a free value.
    pub fn value(&mut self, value: &Value) {
        match &value.kind {
            Some(Kind::StringValue(text)) => self.text(text, 0, usize::MAX),
            Some(Kind::StructValue(inner)) => self.structure(inner),
            Some(Kind::ListValue(list)) => self.list(list),
            _ => {}
        }
    }
}

/// Whether a text is a UUID of 36 characters, in either case.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
