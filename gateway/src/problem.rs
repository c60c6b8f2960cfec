//! What is wrong with a request: every problem with its place, its code and its sentence.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

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

    fn is_within(&self, outer: &Path) -> bool {
        let same = |(inner, outer): (&Step, &Step)| match (inner, outer) {
            (Step::Header(inner), Step::Header(outer)) => inner == outer,
            (Step::Key { name: inner, .. }, Step::Key { name: outer, .. }) => inner == outer,
            (Step::Index(inner), Step::Index(outer)) => inner == outer,
            _ => false,
        };
        // The empty path is the body, which holds every key but no header.
        self.is_header() == outer.is_header() && self.0.len() >= outer.0.len() && self.0.iter().zip(&outer.0).all(same)
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

/// How many problems of one request are told; beyond them, how many more there are. A sentence that lists the values of
/// an enum is a thousand times as long as the value that is wrong.
const MAX_LISTED: usize = 1_000;

/// The problems of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    /// Those beyond the limit.
    unlisted: usize,
}

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, path: Path, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        self.add(Problem { path, code: code.into(), message: message.into() });
    }

    fn add(&mut self, problem: Problem) {
        if self.list.len() < MAX_LISTED {
            self.list.push(problem);
        } else {
            self.unlisted += 1;
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds what a later look found, but for what lies at or below a place where a problem is known already: a field
    /// of a wrong type is not missing as well, and an object of unknown kind says nothing about its other keys.
    pub fn merge(&mut self, later: Problems) {
        let known: Vec<Path> = self.list.iter().map(Problem::covers).collect();
        self.unlisted += later.unlisted;
        for problem in later.list {
            if !known.iter().any(|place| problem.path.is_within(place)) {
                self.add(problem);
            }
        }
    }

    /// The problems at other places, where what was checked is laid out otherwise than the request; those without a
    /// place in the request are left out.
    #[must_use]
    pub fn relocated(self, place: impl Fn(&Problem) -> Option<Path>) -> Self {
        let list = self.list.into_iter().filter_map(|problem| Some(Problem { path: place(&problem)?, ..problem }));
        Self { list: list.collect(), unlisted: self.unlisted }
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
    fn a_request_wrong_in_a_million_places_tells_the_first_thousand_and_how_many_more() {
        let mut problems = Problems::default();
        for index in 0..1_000_000 {
            problems.push(Path(vec![Step::Index(index)]), "custom", "wrong");
        }
        let told = problems.into_sorted();
        assert_eq!(told.len(), MAX_LISTED + 1);
        assert_eq!(told[MAX_LISTED].message, "999000 more problem(s) are not listed");
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
