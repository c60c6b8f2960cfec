//! The rules of the contract, the same over both protocols.
//!
//! The generator turns every `buf.validate` rule into a call here, in the words of Zod 3 (decisions, section 2).

mod wire;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use crate::alone::Alone;
use crate::json::{JsonEnum, expected_values, unlisted_value};
use crate::problem::{Path, Problems, Step};

pub use wire::{SchemaOrder, below_index, is_blank, is_masked};

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
    alone: Alone,
}

/// Makes a request ready for its service: what is not the caller's to set is cleared, every rule is checked, empty texts
/// are dropped. `now` is the time of the request.
///
/// # Errors
/// All problems: those already `found` and the broken rules.
pub fn accept<T: Check>(message: &mut T, now: DateTime<Utc>, found: Problems) -> Result<(), Problems> {
    accept_each(message, now, found, Alone::default()).map(|_| ())
}

/// As [`accept`], of a request whose list has elements that are judged alone: their problems, those of reading included,
/// are the answer.
pub(crate) fn accept_each<T: Check>(
    message: &mut T,
    now: DateTime<Utc>,
    mut found: Problems,
    mut alone: Alone,
) -> Result<Alone, Problems> {
    message.clear_output_only();
    let checker = Checker::of(message, now);
    found.merge(checker.problems);
    if !found.is_empty() {
        return Err(found.without_unknown_kinds());
    }
    alone.merge_all(checker.alone);
    message.drop_empty();
    Ok(alone.finished())
}

/// The broken rules of a message. `now` is the time of the request.
#[must_use]
pub fn broken_rules<T: Check>(message: &T, now: DateTime<Utc>) -> Problems {
    Checker::of(message, now).problems
}

impl Checker {
    fn of<T: Check>(message: &T, now: DateTime<Utc>) -> Self {
        let mut cx =
            Self { now, path: Path::default(), base: 0, problems: Problems::default(), alone: Alone::default() };
        message.check(&mut cx);
        cx
    }

    /// Checks an element that is judged alone.
    pub fn alone(&mut self, index: usize, check: impl FnOnce(&mut Self)) {
        let outer = (std::mem::take(&mut self.path), std::mem::take(&mut self.problems));
        check(self);
        let found = std::mem::take(&mut self.problems);
        (self.path, self.problems) = outer;
        self.alone.merge(index, found);
    }

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
        self.path.0.push(Step::named_by_request(0, name));
    }

    /// Goes to an element of the current array.
    pub fn enter_index(&mut self, index: usize) {
        self.path.0.push(Step::Index(index));
    }

    /// Goes back to the enclosing object or array.
    pub fn leave(&mut self) {
        self.path.0.pop();
    }

    /// Checks a message at the current place.
    pub fn message(&mut self, message: &impl Check) {
        let base = std::mem::take(&mut self.base);
        message.check(self);
        self.base = base;
    }

    /// Checks a message whose members are keys of the current object, from the place `slot` on.
    pub fn flattened(&mut self, slot: u32, message: &impl Check) {
        self.base += slot;
        message.check(self);
        self.base -= slot;
    }

    /// Records a problem at the current place.
    pub fn problem(&mut self, code: &'static str, message: impl Into<Cow<'static, str>>) {
        self.problem_with(code, || message.into());
    }

    /// Records a problem whose sentence takes work, which is saved where no more problems are listed.
    fn problem_with(&mut self, code: &'static str, message: impl FnOnce() -> Cow<'static, str>) {
        self.problems.push_with(|| self.path.clone(), code, message);
    }

    /// Records that the value at the current place is not there.
    pub fn required(&mut self) {
        self.problem("invalid_type", "Required");
    }

    /// Checks a text: its length in characters, then that it has no NUL characters. False for a text that is too long:
    /// nothing else is to be looked for in it, since a caller decides how long it is.
    pub fn text(&mut self, text: &str, min: usize, max: usize) -> bool {
        if is_longer(text, max) {
            self.problem_with("too_big", || format!("String must contain at most {max} character(s)").into());
            return false;
        }
        if text.as_bytes().contains(&0) {
            self.problem("custom", "Must not contain NUL characters");
        }
        // A character takes at least one byte, so that most texts need no counting.
        if text.len() < min || (min > 1 && text.chars().count() < min) {
            self.problem_with("too_small", || format!("String must contain at least {min} character(s)").into());
        }
        true
    }

    /// Whether a text without a limit of its own has the form that `rule` describes. No form allows more than
    /// [`LONGEST_FORM`] bytes: what is longer is not of that form, and the rule need not look at it.
    #[must_use]
    pub fn has_form(&self, text: &str, rule: fn(&str) -> bool) -> bool {
        text.len() <= LONGEST_FORM && rule(text)
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

    /// Checks that a number is one. False for infinity and what is no number.
    pub fn finite(&mut self, number: f64) -> bool {
        if !number.is_finite() {
            self.problem("custom", "Number must be finite");
        }
        number.is_finite()
    }

    /// Checks that a value is one of its list; the unspecified one counts as not given.
    pub fn enumeration<E: JsonEnum>(&mut self, number: i32) {
        if number != 0 && E::name_of(number).is_none() {
            self.problem_with("invalid_enum_value", || {
                let expected = expected_values(E::VALUES.iter().map(|(_, name)| *name));
                unlisted_value(&expected, &number.to_string()).into()
            });
        }
    }

    /// Records that the kind of the current object is not given.
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
            Some(Kind::StringValue(text)) => {
                self.text(text, 0, usize::MAX);
            }
            Some(Kind::StructValue(inner)) => self.structure(inner),
            Some(Kind::ListValue(list)) => self.list(list),
            Some(Kind::NumberValue(number)) => drop(self.finite(*number)),
            Some(Kind::BoolValue(_) | Kind::NullValue(0)) => {}
            // JSON has neither a value without a kind nor a second null.
            None | Some(Kind::NullValue(_)) => self.required(),
        }
    }
}

/// The longest text, in bytes, that a rule about a form may accept where the field has no limit.
const LONGEST_FORM: usize = 4_096;

/// Whether a text has more than `max` characters; the work depends on `max` alone, not on the text.
fn is_longer(text: &str, max: usize) -> bool {
    // A character takes one to four bytes.
    text.len() > max && (text.len() > max.saturating_mul(4) || text.chars().count() > max)
}

/// Whether a text is a UUID of 36 characters, in either case.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checker() -> Checker {
        Checker {
            now: DateTime::UNIX_EPOCH,
            path: Path::default(),
            base: 0,
            problems: Problems::default(),
            alone: Alone::default(),
        }
    }

    fn codes(cx: Checker) -> Vec<Cow<'static, str>> {
        cx.problems.into_sorted().into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn of_a_text_that_is_too_long_nothing_but_its_length_is_judged() {
        let mut cx = checker();
        assert!(!cx.text(&"\0".repeat(1_000_000), 1, 10));
        assert!(!cx.text("éééé", 1, 3));
        assert!(cx.text("ééé", 1, 3));
        assert!(cx.text("", 1, 3));
        assert_eq!(codes(cx), ["too_big", "too_big", "too_small"]);
    }

    #[test]
    fn a_rule_about_a_form_never_sees_a_text_that_no_form_allows() {
        fn rule(text: &str) -> bool {
            assert!(text.len() <= LONGEST_FORM, "the rule is asked about a text of {} bytes", text.len());
            true
        }
        let cx = checker();
        assert!(cx.has_form(&"x".repeat(LONGEST_FORM), rule));
        assert!(!cx.has_form(&"x".repeat(2_000_000), rule));
    }
}
