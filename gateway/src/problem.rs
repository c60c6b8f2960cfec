//! What is wrong with a request: every problem with its place, its code and its sentence.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};

/// One step of a path into a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A header (over gRPC: an entry of the metadata).
    Header(&'static str),
    /// A key of an object. `slot` is its place in the schema's order; keys that the schema does not know come last.
    Key {
        /// Place in the schema's order.
        slot: u32,
        /// The key as JSON spells it.
        name: Cow<'static, str>,
    },
    /// An element of an array.
    Index(usize),
}

impl Step {
    /// The slot of keys that the schema does not know.
    pub const UNKNOWN: u32 = u32::MAX;

    /// A key that the request names, shortened where it is longer than any key of a schema: a path is copied for each
    /// problem below it.
    #[must_use]
    pub fn named_by_request(slot: u32, name: &str) -> Self {
        Self::Key { slot, name: Cow::Owned(shortened(name)) }
    }
}

/// Characters of a key of the request that are shown.
const SHOWN: usize = 64;

/// A key of the request, cut where it is longer than any key of a schema.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// A path into a request; prints dot-joined with array indices: `associated_persons.0.first_name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path of one key at the top.
    #[must_use]
    pub fn key(slot: u32, name: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![Step::Key { slot, name: name.into() }])
    }

    /// The path of a header.
    #[must_use]
    pub fn header(name: &'static str) -> Self {
        Self(vec![Step::Header(name)])
    }

    fn is_header(&self) -> bool {
        matches!(self.0.first(), Some(Step::Header(_)))
    }

    /// Whether it lies at or below `outer`. The empty path is the body, which holds every key but no header.
    fn is_within(&self, outer: &Path) -> bool {
        self.is_header() == outer.is_header()
            && self.0.get(..outer.0.len()).is_some_and(|steps| Location(steps) == Location(&outer.0))
    }

    fn order(&self, other: &Path) -> Ordering {
        let step = |step: &Step| match step {
            Step::Header(_) => (0, 0),
            Step::Key { slot, .. } => (1, *slot as usize),
            Step::Index(index) => (2, *index),
        };
        let headers_first = other.is_header().cmp(&self.is_header());
        headers_first.then_with(|| self.0.iter().map(step).cmp(other.0.iter().map(step)))
    }
}

/// Steps that are the same place in a request, whatever their slots.
struct Location<'a>(&'a [Step]);

impl Location<'_> {
    /// The kind of a step, its name and its index.
    fn identity(step: &Step) -> (u8, &str, usize) {
        match step {
            Step::Header(name) => (0, name, 0),
            Step::Key { name, .. } => (1, name, 0),
            Step::Index(index) => (2, "", *index),
        }
    }
}

impl PartialEq for Location<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().map(Self::identity).eq(other.0.iter().map(Self::identity))
    }
}

impl Eq for Location<'_> {}

impl Hash for Location<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|step| Self::identity(step).hash(state));
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            match step {
                Step::Header(name) => f.write_str(name)?,
                Step::Key { name, .. } => f.write_str(name)?,
                Step::Index(index) => write!(f, "{index}")?,
            }
        }
        Ok(())
    }
}

/// One problem of a request, in the words of Zod 3 (decisions, section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub path: Path,
    /// What, for programs: `invalid_type`, `too_small`, …
    pub code: Cow<'static, str>,
    /// What, for people.
    pub message: Cow<'static, str>,
}

impl Problem {
    /// The place that needs no further look.
    fn covers(&self) -> Path {
        let mut place = self.path.clone();
        if self.code == "invalid_union_discriminator" {
            place.0.pop();
        }
        place
    }
}

/// How many problems of one request are listed; beyond them, how many more there are.
const MAX_LISTED: usize = 1_000;

/// How many bytes the sentences of the listed problems have at most. One that lists the values of an enum is a thousand
/// times as long as the value that is wrong.
const MAX_TEXT: usize = 256 * 1024;

/// The problems of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    /// Those beyond the limits.
    unlisted: usize,
    /// The bytes of the listed sentences.
    text: usize,
}

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, path: Path, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        self.add(Problem { path, code: code.into(), message: message.into() });
    }

    /// Adds a problem, whose path and sentence are made only if it is listed.
    pub fn push_with(
        &mut self,
        path: impl FnOnce() -> Path,
        code: &'static str,
        message: impl FnOnce() -> Cow<'static, str>,
    ) {
        if self.is_full() {
            self.unlisted += 1;
        } else {
            self.push(path(), code, message());
        }
    }

    fn add(&mut self, problem: Problem) {
        if self.is_full() {
            self.unlisted += 1;
        } else {
            self.text += problem.message.len();
            self.list.push(problem);
        }
    }

    fn is_full(&self) -> bool {
        self.list.len() >= MAX_LISTED || self.text >= MAX_TEXT
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds what a later look found, but for what lies at or below a place where a problem is known already: a field
    /// of a wrong type is not missing as well, and an object of unknown kind says nothing about its other keys.
    pub fn merge(&mut self, later: Problems) {
        let covered: Vec<Path> = self.list.iter().map(Problem::covers).collect();
        let covered: HashSet<Location<'_>> = covered.iter().map(|path| Location(&path.0)).collect();
        self.unlisted += later.unlisted;
        for problem in later.list {
            let steps = &problem.path.0;
            // The empty path is the body, which holds every key but no header.
            let outermost = usize::from(problem.path.is_header());
            if !(outermost..=steps.len()).any(|end| covered.contains(&Location(&steps[..end]))) {
                self.add(problem);
            }
        }
    }

    /// The problems without those that depend on a kind that is unknown: the keys after the discriminator of an object.
    #[must_use]
    pub fn without_unknown_kinds(mut self) -> Self {
        let kinds = self.list.iter().filter(|problem| problem.code == "invalid_union_discriminator");
        let kinds: Vec<(Path, Path)> = kinds.map(|kind| (kind.path.clone(), kind.covers())).collect();
        let depends = |problem: &Problem, (kind, object): &(Path, Path)| {
            problem.path.is_within(object) && problem.path.order(kind).is_gt()
        };
        self.list.retain(|problem| !kinds.iter().any(|kind| depends(problem, kind)));
        self
    }

    /// The problems at other places, where what was checked is laid out otherwise than the request; those without a
    /// place in the request are left out.
    #[must_use]
    pub fn relocated(self, place: impl Fn(&Problem) -> Option<Path>) -> Self {
        let list = self.list.into_iter().filter_map(|problem| Some(Problem { path: place(&problem)?, ..problem }));
        Self { list: list.collect(), unlisted: self.unlisted, text: self.text }
    }

    /// The first problems, as many as `listed` and sentences of `text` bytes allow.
    #[must_use]
    pub(crate) fn cut(mut self, listed: usize, text: usize) -> Self {
        let before = self.list.len();
        self.list.sort_by(|one, other| one.path.order(&other.path));
        self.list.truncate(listed);
        let mut kept = 0;
        self.list.retain(|problem| {
            kept += problem.message.len();
            kept <= text
        });
        self.unlisted += before - self.list.len();
        self
    }

    /// All problems in the order headers, then fields in schema order, arrays by index.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.list.sort_by(|one, other| one.path.order(&other.path));
        if self.unlisted > 0 {
            let message = format!("{} more problem(s) are not listed", self.unlisted);
            self.list.push(Problem { path: Path::default(), code: "custom".into(), message: message.into() });
        }
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_a_million_problems_lists_the_first_thousand_and_the_number_of_the_others() {
        let mut problems = Problems::default();
        for index in 0..1_000_000 {
            problems.push(Path(vec![Step::Index(index)]), "custom", "wrong");
        }
        let listed = problems.into_sorted();
        assert_eq!(listed.len(), MAX_LISTED + 1);
        assert_eq!(listed[MAX_LISTED].message, "999000 more problem(s) are not listed");
    }

    #[test]
    fn sentences_that_are_long_are_listed_only_as_far_as_the_answer_stays_small() {
        let mut problems = Problems::default();
        let sentence = "x".repeat(4_096);
        for index in 0..1_000 {
            problems.push(Path(vec![Step::Index(index)]), "custom", sentence.clone());
        }
        let listed = problems.into_sorted();
        assert_eq!(listed.len(), MAX_TEXT / sentence.len() + 1);
        assert_eq!(listed.last().expect("a last one").message, "936 more problem(s) are not listed");
    }

    #[test]
    fn a_long_key_of_the_request_is_shown_by_its_beginning() {
        let path = Path(vec![Step::named_by_request(0, &"é".repeat(1_000_000)), Step::Index(7)]);
        assert_eq!(path.to_string(), format!("{}….7", "é".repeat(64)));
    }

    #[test]
    fn a_problem_within_a_known_one_is_left_out_whatever_their_slots() {
        let within = |slot, steps: &[&'static str]| {
            Path(steps.iter().map(|name| Step::Key { slot, name: Cow::Borrowed(*name) }).collect())
        };
        let mut problems = Problems::default();
        problems.push(within(1, &["a", "b"]), "invalid_type", "wrong");
        let mut later = Problems::default();
        for steps in [&["a", "b"][..], &["a", "b", "c"], &["a"], &["a", "d"], &["b"]] {
            later.push(within(2, steps), "custom", "wrong");
        }
        problems.merge(later);
        let paths: Vec<_> = problems.into_sorted().iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a.b", "a", "b", "a.d"]);
    }

    #[test]
    fn what_comes_after_an_unknown_kind_is_not_reported() {
        let mut problems = Problems::default();
        for (slot, name) in [(3, "after"), (1, "before")] {
            problems.push(Path::key(slot, name), "invalid_type", "Required");
        }
        problems.push(Path::key(2, "type"), "invalid_union_discriminator", "unknown");
        problems.push(Path::header("idempotency-key"), "invalid_type", "Required");
        let paths: Vec<_> = problems.without_unknown_kinds().into_sorted();
        let paths: Vec<_> = paths.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["idempotency-key", "before", "type"]);
    }

    #[test]
    fn an_object_of_unknown_kind_hides_what_its_other_keys_lack() {
        let mut problems = Problems::default();
        problems.push(Path::key(3, "type"), "invalid_union_discriminator", "unknown");
        let mut later = Problems::default();
        later.push(Path::key(4, "name"), "invalid_type", "Required");
        later.push(Path::header("idempotency-key"), "invalid_type", "Required");
        problems.merge(later);
        let paths: Vec<_> = problems.into_sorted().iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["idempotency-key", "type"]);
    }
}
